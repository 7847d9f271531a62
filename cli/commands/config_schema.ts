// SPDX-License-Identifier: MIT
// `sandblock config schema`: the schema of configuration files, for editors.

import { command } from "../declare/declaration.ts";
import { print } from "../output.ts";
import { helpOption } from "./shared_options.ts";

export const configSchemaCommand = command({
  name: "schema",
  summary: "print the schema of configuration files",
  description: [
    "Prints a JSON Schema of configuration files, by which editors complete and check them: with the " +
    "YAML language server, a file that begins with the line " +
    "# yaml-language-server: $schema=config.schema.json",
  ],
  options: { help: helpOption },
  examples: [{
    command: "sandblock config schema > config.schema.json",
    text: "Write the schema for an editor:",
  }],
  async run() {
    const { configSchema } = await import("../config/json_schema.ts");
    print(configSchema());
    return 0;
  },
});
