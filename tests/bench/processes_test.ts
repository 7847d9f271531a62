// SPDX-License-Identifier: MIT
// Reading /proc.

import assert from "node:assert/strict";
import {
  cpuSeconds,
  parseBusy,
  parseStat,
  peakBytes,
  processTree,
  residentBytes,
  threadSeconds,
} from "./processes.ts";

Deno.test("a process name with spaces and parentheses does not shift the fields", () => {
  const line = "4242 (nbd (x) 1) S 17 4242 4242 0 -1 4194560 1 2 3 4 250 150 30 20 20 0 1 0 9";
  assert.deepEqual(parseStat(line), { pid: 4242, parent: 17, cpuSeconds: 4.5 });
});

Deno.test("the tree of a process holds its children and their children", async () => {
  const child = new Deno.Command("sh", { args: ["-c", "sh -c 'sleep 5; :'; :"] }).spawn();
  try {
    let count = 0;
    for (let i = 0; i < 200 && count < 3; i++) {
      count = processTree(child.pid).length;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal(count, 3);
  } finally {
    for (const { pid } of processTree(child.pid)) Deno.kill(pid, "SIGKILL");
    await child.status;
  }
});

Deno.test("CPU time and memory of this process are counted", () => {
  const before = threadSeconds(Deno.pid);
  const until = performance.now() + 10_000;
  // Others may want the processors, too.
  while (threadSeconds(Deno.pid) - before < 0.02 && performance.now() < until) { /* use some */ }
  assert.ok(threadSeconds(Deno.pid) - before >= 0.02);
  assert.ok(cpuSeconds(Deno.pid) > 0);
  assert.ok(peakBytes(Deno.pid) > 10e6);
  assert.ok(residentBytes(Deno.pid) > 10e6);
});

Deno.test("a process that has ended has no tree", () => {
  assert.deepEqual(processTree(2 ** 22 + 1), []);
  assert.equal(peakBytes(2 ** 22 + 1), 0);
});

Deno.test("idle time and waiting for disks are not busy, stolen time is", () => {
  assert.equal(parseBusy("cpu  100 20 300 9999 8888 4 5 71 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n"), 5);
});
