// SPDX-License-Identifier: MIT
// `sandblock plugin show`: what a plugin is, takes, provides and may use.

import { command } from "../declare/declaration.ts";
import { descriptionJson, descriptionText } from "../describe.ts";
import { inspectPlugin } from "../inspect.ts";
import { print } from "../output.ts";
import { helpOption, jsonOption } from "./shared_options.ts";

export const pluginShow = command({
  name: "show",
  summary: "show what a plugin is, takes and provides",
  description: [
    "Shows the manifest of a plugin, the functions that it provides, its limits and what it may " +
    "use. The module is checked and compiled as for serving, so a module that cannot be served is " +
    "refused here with the same sentence. None of its code runs.",
  ],
  arguments: [{
    name: "PLUGIN",
    help: "Name of a bundled plugin, or path of a .wasm file",
    required: true,
    complete: "plugin",
  }],
  options: { json: jsonOption, help: helpOption },
  examples: [{
    command: "sandblock plugin show ./my-plugin.wasm",
    text: "What does this plugin take?",
  }],
  run({ json }, [name]) {
    const description = inspectPlugin(name!);
    print(json ? descriptionJson(description) : descriptionText(description));
    return 0;
  },
});
