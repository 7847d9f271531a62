// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { closeDescriptor, createEvent, signalEvent } from "./descriptor.ts";
import { NetlinkEvents } from "./netlink_events.ts";
import { SystemError } from "./errno.ts";
import { lateLibc } from "./libc.ts";
import { socketPair } from "./socket.ts";
import { Ready, Waiter } from "./waiter.ts";

Deno.test("what happens to one of several descriptors ends the wait", async () => {
  const waiter = new Waiter();
  const [quiet, loud] = [createEvent(), createEvent()];
  const watched = [quiet, loud].map((fd) => ({ fd, events: Ready.In }));
  assert.deepEqual(await waiter.wait(watched, 1), [0, 0]);
  const waiting = waiter.wait(watched, -1);
  signalEvent(loud);
  assert.deepEqual(await waiting, [0, Ready.In]);
  waiter.stop();
  for (const fd of [quiet, loud]) closeDescriptor(fd);
});

Deno.test("a socket that is shut down by whoever has a copy of it is seen to hang up", async () => {
  const waiter = new Waiter();
  const [one, other] = socketPair(65536);
  assert.deepEqual(await waiter.wait([{ fd: one, events: 0 }], 1), [0]);
  lateLibc.shutdown(one, 2);
  const [events] = (await waiter.wait([{ fd: one, events: 0 }], -1))!;
  assert.equal(events! & Ready.HangUp, Ready.HangUp);
  waiter.stop();
  for (const fd of [one, other]) closeDescriptor(fd);
});

Deno.test("an interruption ends one wait, and stopping all of them", async () => {
  const waiter = new Waiter();
  const first = waiter.wait([], -1);
  waiter.interrupt();
  assert.deepEqual(await first, []);
  assert.deepEqual(await waiter.wait([], 1), []);
  const others = [waiter.wait([], -1), waiter.wait([], -1)];
  waiter.stop();
  assert.deepEqual(await Promise.all(others), [null, null]);
  assert.equal(await waiter.wait([], -1), null);
  assert(waiter.stopped);
});

Deno.test("the group that every kernel has can be listened to; unknown ones are refused", () => {
  using events = new NetlinkEvents("nlctrl", 1, "notify");
  assert(events.fd >= 0);
  assert.deepEqual(events.take(), []);
  assert.throws(
    () => new NetlinkEvents("nlctrl", 1, "no-such-group"),
    (error) => error instanceof SystemError && error.code === "ENOENT",
  );
});
