// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { isUsuallyScheduled, mayEndIdle, setThreadIdle, threadId, threadNice } from "./priority.ts";

Deno.test("a thread gives its share of the processors up and, where that is allowed, takes it back", () => {
  const thread = threadId();
  assert(thread > 0);
  if (!isUsuallyScheduled(thread) || !mayEndIdle(threadNice(thread))) {
    console.warn("NOT ALLOWED to take the share back: only looked at, not given up");
    return;
  }
  assert(setThreadIdle(thread, true));
  assert(!isUsuallyScheduled(thread));
  assert(setThreadIdle(thread, false));
  assert(isUsuallyScheduled(thread));
  assert.equal(setThreadIdle(0x7fffffff, true), false);
});
