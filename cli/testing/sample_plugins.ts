// SPDX-License-Identifier: MIT
// Manifests for tests of texts, so that these do not depend on what is bundled.

import type { Manifest } from "../../core/plugin/manifest.ts";
import { PLAIN_NODE } from "../../core/plugin/manifest_node.ts";

const common = { abi: "3.0", version: "1.2.3", kind: "plugin", limits: {} } as const;

export const samplePlugins: Manifest[] = [
  {
    ...common,
    name: "disk",
    description: "A disk that it's easy to describe: all of it",
    threads: "parallel",
    parameters: [
      {
        name: "size",
        type: "size",
        description: "Size of the disk",
        required: true,
        positional: true,
        minimum: "0",
      },
      {
        name: "mode",
        type: "enum",
        description: "What it does [or not]",
        values: ["fast", "good"],
        default: "fast",
      },
      { name: "level", type: "int", description: "How much", minimum: "1", maximum: "9" },
      { name: "seed", type: "int", description: "Where to begin", minimum: "0" },
      { name: "tag", type: "string", description: "A word", repeated: true },
    ],
  },
  { ...common, name: "nothing", description: "No disk", threads: "serialized", parameters: [] },
  {
    ...common,
    kind: "filter",
    name: "sieve",
    description: "Lets some of it through",
    threads: "parallel",
    parameters: [
      { name: "mesh", type: "size", description: "How fine", required: true },
      { name: "shake", type: "bool", description: "Whether it moves", default: "false" },
    ],
    node: { ...PLAIN_NODE, children: { minimum: 1, maximum: 1 } },
  },
  {
    ...common,
    kind: "filter",
    name: "heap",
    description: "Several as one",
    threads: "serialized",
    parameters: [{ name: "order", type: "int", description: "Which goes first" }],
    node: { ...PLAIN_NODE, children: { minimum: 2, maximum: 16 } },
  },
];
