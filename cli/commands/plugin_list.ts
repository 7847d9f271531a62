// SPDX-License-Identifier: MIT
// `sandblock plugin list`: the plugins that need no path.

import { command } from "../declare/declaration.ts";
import { columns } from "../declare/text.ts";
import { print } from "../output.ts";
import { findPlugin, knownNames } from "../plugins.ts";
import { helpOption, jsonOption } from "./shared_options.ts";

export const pluginList = command({
  name: "list",
  summary: "list the bundled plugins",
  description: ["Lists the plugins that can be served by name, with one line about each."],
  options: { json: jsonOption, help: helpOption },
  run({ json }) {
    const manifests = knownNames().map((name) => findPlugin(name).manifest);
    if (json) {
      const entries = manifests.map(({ name, version, description }) => {
        return { name, version, description };
      });
      print(JSON.stringify(entries, null, 2) + "\n");
    } else {
      const rows = manifests.map(({ name, description }) => [name, description] as const);
      print(columns(rows, 18).map((line) => line.slice(2)).join("\n") + "\n");
    }
    return 0;
  },
});
