// SPDX-License-Identifier: MIT
// `sandblock graph`: the group of commands about devices that consist of several nodes.

import { command } from "../declare/declaration.ts";
import { graphShow } from "./graph_show.ts";
import { helpOption } from "./shared_options.ts";

export const graph = command({
  name: "graph",
  summary: "look at devices that consist of several nodes",
  description: [
    "A device is a tree of nodes: plugins and host backends at its leaves, filters above them.",
  ],
  options: { help: helpOption },
  commands: [graphShow],
  ownPage: true,
});
