// SPDX-License-Identifier: MIT
// In processes of their own: what is locked stays so.

import assert from "node:assert/strict";

const MODULE = new URL("lock_memory.ts", import.meta.url).href;

/** Makes V8 collect a lot and give memory back, in two threads. */
const PROGRAM = `
import { lockMemory } from ${JSON.stringify(MODULE)};
lockMemory();
const busy = "let kept = []; for (let i = 0; i < 300; i++) {" +
  "kept.push(new Array(10000).fill(i)); if (kept.length > 50) kept = []; gc(); } postMessage(1);";
const worker = new Worker("data:text/javascript," + encodeURIComponent(busy), { type: "module" });
await new Promise((resolve) => worker.onmessage = resolve);
worker.terminate();
let kept = [];
for (let i = 0; i < 3000; i++) {
  kept.push(new Array(500).fill(i));
  if (kept.length > 1500) kept = [];
}
for (let i = 0; i < 10; i++) {
  new Uint8Array(4 << 20).fill(1);
  await new Promise((resolve) => setTimeout(resolve, 10));
  gc();
}
const status = Deno.readTextFileSync("/proc/self/status");
console.log(/VmLck:\\s*(\\d+)/.exec(status)[1], /Seccomp:\\s*(\\d)/.exec(status)[1]);
`;

Deno.test({
  name: "V8 collects garbage with all memory locked (needs root)",
  ignore: Deno.uid() !== 0,
  fn: async () => {
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--v8-flags=--expose-gc", PROGRAM],
    }).output();
    assert(success, new TextDecoder().decode(stderr));
    const [locked, filtered] = new TextDecoder().decode(stdout).trim().split(" ").map(Number);
    assert(locked! > 50_000, `${locked} kB are locked`);
    assert.equal(filtered, 2);
  },
});
