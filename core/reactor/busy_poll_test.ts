// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { BusyPoll } from "./busy_poll.ts";

/** Counts instead of keeping processors awake. */
function wakefulness() {
  return {
    held: false,
    hold() {
      this.held = true;
    },
    release() {
      this.held = false;
    },
  };
}

function wait(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** How often one idle time is polled, at most ten million times. */
function polls(poll: BusyPoll): number {
  let count = 0;
  while (count < 10_000_000 && poll.again()) count++;
  return count;
}

Deno.test("polling that is off never polls", () => {
  const poll = new BusyPoll(0, wakefulness());
  assert.equal(polls(poll), 0);
  poll.slept();
  assert.equal(polls(poll), 0);
});

Deno.test("a fixed window is polled for its time, whatever came of it", () => {
  const poll = new BusyPoll(2000, wakefulness());
  for (let i = 0; i < 3; i++) {
    const before = performance.now();
    assert.ok(polls(poll) > 0);
    const took = performance.now() - before;
    assert.ok(took >= 1.9, `${took} ms`);
    poll.slept();
  }
});

Deno.test("automatic polling stops when nothing comes in time, and returns when it does", () => {
  const poll = new BusyPoll("auto", wakefulness());
  assert.ok(polls(poll) > 0);
  for (let i = 0; i < 20; i++) {
    polls(poll);
    wait(0.5);
    poll.slept();
  }
  assert.equal(polls(poll), 0);
  for (let i = 0; i < 20; i++) {
    poll.again();
    poll.slept();
  }
  assert.ok(polls(poll) > 0);
});

Deno.test("automatic polling stops when others need the processor", () => {
  const poll = new BusyPoll("auto", wakefulness());
  for (let i = 0; i < 2; i++) {
    assert.ok(poll.again(), "once may be chance");
    wait(2);
    poll.worked();
  }
  assert.equal(poll.again(), false);
});

Deno.test("processors are kept awake only after polling has paid for a while, and until it is quiet", () => {
  const awake = wakefulness();
  const poll = new BusyPoll("auto", awake);
  for (let i = 0; i < 999; i++) {
    poll.again();
    poll.worked();
  }
  assert.equal(poll.restless, false);
  for (let i = 0; i < 9; i++) {
    poll.again();
    poll.worked();
  }
  assert.equal(poll.restless, true);
  poll.rest();
  assert.equal(awake.held, false);
});
