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
    'Starts what "serve" with the same arguments would serve, opens its default export and shows the ' +
    "tree of its nodes: capabilities, block sizes, thread model, and what a node takes away of that which " +
    "the nodes below it can do. Nobody can connect. With --config all exports of the file are shown, or " +
    "those that are named.",
  ],
  arguments: [
    {
      name: "PLUGIN",
      help: "As for serve; with --config the name of an export",
      required: true,
      complete: "plugin",
    },
    {
      name: "KEY=VALUE",
      help: "Parameters and brackets, as for serve",
      variadic: true,
      complete: "parameters",
    },
  ],
  options: {
    config: serveOptions.config,
    filter: serveOptions.filter,
    allow: serveOptions.allow,
    readonly: serveOptions.readonly,
    pluginMemory: serveOptions.pluginMemory,
    pluginTimeout: serveOptions.pluginTimeout,
    json: jsonOption,
    help: helpOption,
  },
  examples: [
    {
      command: "sandblock graph show --filter cow mirror [ file a.img ] [ file b.img ]",
      text: "What can a client do with this?",
    },
    {
      command: "sandblock graph show --config disks.yaml",
      text: "And with all exports of a configuration?",
    },
  ],
  lenient: true,
  async run({ config, json, ...values }, operands) {
    const { showConfig, showGraph } = await import("../show_graph.ts");
    const how = { readOnly: values.readonly ?? false, json: json ?? false };
    if (config !== undefined) {
      print(await showConfig(config, operands, values, how));
      return 0;
    }
    print(await showGraph(operands, values, how));
    return 0;
  },
});
