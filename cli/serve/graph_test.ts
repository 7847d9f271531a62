// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { type GraphNode, parseGraph } from "./graph.ts";

function graph(line: string): GraphNode {
  return parseGraph(line.split(" "));
}

function refused(line: string, message: string): void {
  assert.throws(() => graph(line), { name: "UsageError", message });
}

Deno.test("a name and what follows it is one node", () => {
  assert.deepEqual(graph("memory 1G a=b"), {
    name: "memory",
    parameters: ["1G", "a=b"],
    children: [],
  });
});

Deno.test("brackets put nodes below another, with parameters of their own", () => {
  const file = (name: string) => ({ name: "file", parameters: [name], children: [] });
  assert.deepEqual(graph("mirror x=1 [ file a ] [ offset offset=1M [ file b ] ] y=2"), {
    name: "mirror",
    parameters: ["x=1", "y=2"],
    children: [file("a"), { name: "offset", parameters: ["offset=1M"], children: [file("b")] }],
  });
});

Deno.test("brackets that do not match are refused", () => {
  refused("m [ file a", 'cannot read the graph: the "[" before "file" has no "]"');
  refused("m [ file a ] ]", 'cannot read the graph: there is a "]" without "["');
  refused("m [ ] x", 'cannot read the graph: the name of a plugin is missing before "]"');
  refused("m [ [ a ] ]", 'cannot read the graph: the name of a plugin is missing before "["');
  refused("m [", "cannot read the graph: the name of a plugin is missing at the end");
  refused(Array(70).fill("m [").join(" "), "cannot read the graph: it is too deep");
});
