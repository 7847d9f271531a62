// SPDX-License-Identifier: MIT
// Who rings, and for what: messages are seen before, after or while they ring.

import assert from "node:assert/strict";
import { signalEvent } from "../../../native/descriptor.ts";
import { Bell } from "./bell.ts";

Deno.test("a bell that is seen before it rings goes on ringing until it has", () => {
  const bell = new Bell();
  bell.seen();
  assert.equal(bell.hush(), false);
  // Its descriptor must not be closed now: somebody is about to ring.
  assert.equal(bell.rings, true);
  signalEvent(bell.fd);
  assert.equal(bell.hush(), false);
  assert.equal(bell.rings, false);
  bell.close();
});

Deno.test("a bell that has rung for what nobody has seen is ahead until that is seen", () => {
  const bell = new Bell();
  bell.seen();
  signalEvent(bell.fd);
  signalEvent(bell.fd);
  assert.equal(bell.hush(), true);
  assert.equal(bell.rings, false);
  bell.seen();
  assert.equal(bell.isAhead, false);
  assert.equal(bell.hush(), false, "it is quiet");
  bell.close();
});
