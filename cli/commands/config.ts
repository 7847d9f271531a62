// SPDX-License-Identifier: MIT
// `sandblock config`: the group of commands about configuration files.

import { command } from "../declare/declaration.ts";
import { configCheck } from "./config_check.ts";
import { configSchemaCommand } from "./config_schema.ts";
import { helpOption } from "./shared_options.ts";

export const config = command({
  name: "config",
  summary: "check configuration files",
  description: [
    'A configuration file says what one server serves: "serve --config FILE". It is YAML, with a list ' +
    "of listeners and a mapping of exports by name. An export has a plugin with its parameters, filters " +
    "above it, and for filters such as mirror what is below them; it may be read-only and have a policy " +
    "of its own. Relative paths start at the directory of the file.",
    "Every key is known and every value checked; what is wrong is told with line and column. The " +
    "reference of all keys is docs/config.md.",
  ],
  options: { help: helpOption },
  commands: [configCheck, configSchemaCommand],
  ownPage: true,
  sections: [{
    title: "Example",
    paragraphs: [
      "listen: { unix: /run/disks.sock }",
      "exports: { scratch: { plugin: memory, parameters: { size: 1G } } }",
    ],
  }],
});
