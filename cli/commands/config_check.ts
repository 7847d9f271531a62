// SPDX-License-Identifier: MIT
// `sandblock config check`: is a configuration file right, and what does it say?

import { command } from "../declare/declaration.ts";
import { helpOption } from "./shared_options.ts";

export const configCheck = command({
  name: "check",
  summary: "check a configuration file",
  description: [
    "Reads FILE and all that it names: plugins, which are checked and compiled but not run, their " +
    "parameters, and policies. Prints what would be served, or everything that is wrong with its line " +
    "and column; then the exit status is 1.",
  ],
  arguments: [
    { name: "FILE", help: "Configuration in YAML", required: true, complete: "file" },
  ],
  options: { help: helpOption },
  examples: [{
    command: "sandblock config check disks.yaml",
    text: "Is the file right?",
  }],
  async run(_, [path]) {
    // Loads a parser of YAML, which other commands have no use for.
    const { checkConfigFile } = await import("../config/check.ts");
    return checkConfigFile(path!);
  },
});
