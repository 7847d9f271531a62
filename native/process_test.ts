// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { openNull, parentPid, replaceDescriptor, signalWhenParentEnds } from "./process.ts";
import { closeDescriptor, createEvent } from "./descriptor.ts";

Deno.test("the parent is the one that /proc knows", () => {
  const [, parent] = /^PPid:\s*(\d+)/m.exec(Deno.readTextFileSync("/proc/self/status"))!;
  assert.equal(parentPid(), Number(parent));
});

Deno.test("a descriptor becomes a copy of another", () => {
  const fd = createEvent();
  const nothing = openNull();
  replaceDescriptor(nothing, fd);
  assert.equal(Deno.readLinkSync(`/proc/self/fd/${fd}`), "/dev/null");
  closeDescriptor(fd);
  closeDescriptor(nothing);
});

Deno.test("a wrong signal number is an error", () => {
  assert.throws(
    () => signalWhenParentEnds(1000),
    /cannot watch the parent process: Invalid argument \(EINVAL\)/,
  );
});
