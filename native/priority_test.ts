// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { mayHaveNice, NICE_MAX, setThreadNice, threadId, threadNice } from "./priority.ts";

Deno.test("a thread's nice value is set and, where that is allowed, taken back", () => {
  const thread = threadId();
  assert(thread > 0);
  const before = threadNice(thread);
  if (!mayHaveNice(before)) {
    console.warn("NOT ALLOWED to take a nice value back: only looked at, not set");
    return;
  }
  assert(setThreadNice(thread, NICE_MAX));
  assert.equal(threadNice(thread), NICE_MAX);
  assert(setThreadNice(thread, before));
  assert.equal(threadNice(thread), before);
  assert.equal(setThreadNice(0x7fffffff, 0), false);
});
