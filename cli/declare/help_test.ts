// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { root } from "../commands/root.ts";
import { completionModel } from "../completion/model.ts";
import { pluginHelp } from "../describe.ts";
import { assertGolden } from "../testing/golden.ts";
import { samplePlugins } from "../testing/sample_plugins.ts";
import { helpText } from "./help.ts";
import { spellings } from "./declaration.ts";

const commands = completionModel(root, []).commands;

for (const { path } of commands) {
  Deno.test(`${path} --help prints what the golden file holds`, () => {
    assertGolden(`${path.replaceAll(" ", "-")}.help`, helpText(root, path));
  });
}

Deno.test("help on a plugin prints its parameters", () => {
  assertGolden("plugin-disk.help", pluginHelp(samplePlugins[0]!));
  assertGolden("plugin-nothing.help", pluginHelp(samplePlugins[1]!));
});

Deno.test("help on a filter says what stands below it", () => {
  assertGolden("plugin-sieve.help", pluginHelp(samplePlugins[2]!));
  assertGolden("plugin-heap.help", pluginHelp(samplePlugins[3]!));
});

Deno.test("help on a plugin of one's own says its path", () => {
  const [usage] = pluginHelp(samplePlugins[1]!, "./nothing.wasm").split("\n");
  assert.equal(usage, "Usage: sandblock serve [OPTION...] ./nothing.wasm");
});

Deno.test("help fits in 80 columns, but for commands that cannot be broken", () => {
  for (const { path, command } of commands) {
    const examples = (command.examples ?? []).map((one) => one.command);
    const long = helpText(root, path).split("\n")
      .filter((line) => line.length > 80 && !examples.includes(line.trim()));
    assert.deepEqual(long, [], path);
  }
});

Deno.test("no two options of a command share a spelling", () => {
  for (const { path, command } of commands) {
    const all = Object.values(command.options).flatMap(spellings);
    assert.equal(new Set(all).size, all.length, path);
  }
});

Deno.test("no explanation ends with a period, because sentences are made of it", () => {
  for (const { command } of commands) {
    const texts = [command.summary, ...Object.values(command.options).map(({ help }) => help)];
    assert.deepEqual(texts.filter((text) => text.endsWith(".")), []);
  }
});
