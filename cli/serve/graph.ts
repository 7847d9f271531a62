// SPDX-License-Identifier: MIT
// The graph that a command line describes: --filter puts a filter above all the rest, and what
// stands in brackets behind a name is below it: mirror [ file a.img ] [ file b.img ].

import { UsageError } from "../errors.ts";

/** A node as it is named, with its parameters as they are given. */
export interface GraphNode {
  name: string;
  parameters: string[];
  children: GraphNode[];
}

/** Brackets in brackets end here. */
const DEPTH_MAX = 64;
const OPEN = "[";
const CLOSE = "]";

/** The graph in `words`, the first of which is a name. Throws UsageError. */
export function parseGraph(words: readonly string[]): GraphNode {
  const { node, next } = parseNode(words, 0, 0);
  if (next === words.length) return node;
  throw new UsageError(`cannot read the graph: there is a "]" without "["`);
}

function parseNode(
  words: readonly string[],
  start: number,
  depth: number,
): { node: GraphNode; next: number } {
  if (depth > DEPTH_MAX) throw new UsageError("cannot read the graph: it is too deep");
  const name = words[start];
  if (name === undefined || name === OPEN || name === CLOSE) {
    const where = name === undefined ? "at the end" : `before "${name}"`;
    throw new UsageError(`cannot read the graph: the name of a plugin is missing ${where}`);
  }
  const node: GraphNode = { name, parameters: [], children: [] };
  let at = start + 1;
  while (at < words.length && words[at] !== CLOSE) {
    if (words[at] !== OPEN) {
      node.parameters.push(words[at++]!);
      continue;
    }
    const child = parseNode(words, at + 1, depth + 1);
    if (words[child.next] !== CLOSE) {
      throw new UsageError(`cannot read the graph: the "[" before "${child.node.name}" has no "]"`);
    }
    node.children.push(child.node);
    at = child.next + 1;
  }
  return { node, next: at };
}
