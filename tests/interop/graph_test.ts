// SPDX-License-Identifier: MIT
// `graph show`: what it says of devices that consist of several nodes, and of those that do not start.

import assert from "node:assert/strict";
import { output, run } from "../support/command.ts";
import { TestDirectory } from "../support/directory.ts";
import { sandblock } from "../support/program.ts";
import { watPlugin } from "../support/wat_plugin.ts";

const show = [...sandblock(), "graph", "show"];

Deno.test("a graph is shown with what each node can do and what it limits", async () => {
  const text = await output([...show, "-r", "--filter", "offset", "offset=1M", "memory", "4M"]
    .toSorted((a, b) => Number(a === "offset=1M") - Number(b === "offset=1M")));
  assert.match(text, /^offset \S+ \(filter, \w+\)\n/);
  assert.match(text, /\n└─ memory \S+ \(plugin, serialized\)\n {6}size 4194304, read-only\n/);
  assert.match(text, /│ {2}size 3145728, read-only/);
});

Deno.test("the exports of a configuration are shown, all or those that are named", async () => {
  using directory = new TestDirectory();
  const config = directory.write(
    "disks.yaml",
    `
exports:
  a: { plugin: memory, parameters: { size: 1M }, restart: restart, filters: cow }
  b:
    read-only: true
    plugin: mirror
    below:
      - { plugin: memory, parameters: { size: 1M } }
      - { plugin: pattern, parameters: { size: 1M } }
`,
  );
  const text = await output([...show, "--config", config]);
  assert.match(text, /^"a"\n {2}cow .*\n(.*\n)* {2}└─ memory/);
  assert.match(text, /\n"b"\n {2}mirror .*\n(.*\n)* {2}├─ memory (.*\n)* {2}└─ pattern/);
  const json = JSON.parse(await output([...show, "--json", "--config", config, "b"]));
  assert.deepEqual(Object.keys(json), ["b"]);
  assert.equal(json.b.readOnly, true);
  assert.deepEqual(json.b.children.map(({ name }: { name: string }) => name), [
    "memory",
    "pattern",
  ]);
  const unknown = await run([...show, "--config", config, "c"]);
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /cannot show the export "c": .* has none of this name/);
});

for (const where of ["sb_open", "sb_size"]) {
  Deno.test(`a plugin that loops in ${where} is ended after its time`, async () => {
    const type = where === "sb_open"
      ? "(param i32 i32 i32) (result i32)"
      : "(param i32) (result i64)";
    const body = `(func (export "${where}") ${type} (loop $l (br $l)) unreachable)`;
    using directory = new TestDirectory();
    const path = directory.write("loop.wasm", await watPlugin({ body }));
    const began = performance.now();
    const { code, stderr } = await run([...show, "--plugin-timeout", "200ms", path]);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`took longer than 200 ms in ${where}`));
    assert.ok(performance.now() - began < 10_000);
  });
}
