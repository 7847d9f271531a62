// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { assertGolden } from "../testing/golden.ts";
import { samplePlugins } from "../testing/sample_plugins.ts";
import { listJson, listText } from "./plugin_list.ts";

Deno.test("plugins are listed by how they are used", () => {
  assertGolden("plugin-list.txt", listText(samplePlugins));
});

Deno.test("programs are told the kind, and how many stand below", () => {
  const [disk, , sieve, heap] = JSON.parse(listJson(samplePlugins));
  assert.deepEqual([disk.name, disk.kind, disk.children], ["disk", "plugin", null]);
  assert.deepEqual([sieve.kind, sieve.children], ["filter", { minimum: 1, maximum: 1 }]);
  assert.deepEqual([heap.kind, heap.children], ["filter", { minimum: 2, maximum: 16 }]);
});
