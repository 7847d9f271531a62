// SPDX-License-Identifier: MIT
// `sandblock graph show`: the tree of nodes that a command line makes, and what each can do.

import { command } from "../declare/declaration.ts";
import { print } from "../output.ts";
import { serveOptions } from "../serve/options.ts";
import { helpOption, jsonOption } from "./shared_options.ts";

export const graphShow = command({
  name: "show",
  summary: "show the nodes of a device and which of them limits what",
  description: [
    'Makes the device that "serve" with the same --filter, PLUGIN and parameters would serve, opens ' +
    "its default export and shows the tree of its nodes: capabilities, block sizes, thread model, and " +
    "what a node takes away of that which the nodes below it can do. Nothing is read or written, but " +
    "the plugins are started.",
  ],
  arguments: [
    { name: "PLUGIN", help: "As for serve", required: true, complete: "plugin" },
    {
      name: "KEY=VALUE",
      help: "Parameters and brackets, as for serve",
      variadic: true,
      complete: "parameters",
    },
  ],
  options: {
    filter: serveOptions.filter,
    allow: serveOptions.allow,
    readonly: serveOptions.readonly,
    json: jsonOption,
    help: helpOption,
  },
  examples: [
    {
      command: "sandblock graph show --filter cow mirror [ file a.img ] [ file b.img ]",
      text: "What can a client do with this?",
    },
  ],
  async run({ filter, allow, readonly, json }, [plugin, ...parameters]) {
    const { showGraph } = await import("../show_graph.ts");
    const plan = {
      plugin: plugin!,
      parameters,
      ...filter !== undefined && { filters: filter },
      ...allow !== undefined && { allow },
    };
    print(showGraph(plan, { readOnly: readonly ?? false, json: json ?? false }));
    return 0;
  },
});
