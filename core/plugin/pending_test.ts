// SPDX-License-Identifier: MIT
// Requests that a plugin finishes later, timers, and what it may tell while it runs (ABI 3.1).

import assert from "node:assert/strict";
import type { NodeMetrics } from "../block/metrics.ts";
import { Command, Piece, Request, Status } from "../block/request.ts";
import { spaceIn } from "../block/testing.ts";
import { fails, TestPlugin } from "./test_device.ts";
import { diskWat, laterWat, RANGE } from "./test_plugins.ts";

const OK = "(i32.const 0)";
const req = "(local.get $req)";
const OPEN = `(func (export "sb_open") (param i32 i32 i32) (result i32) ${OK})
  (func (export "sb_size") (param i32) (result i64) (i64.const 65536))`;
/** Remembers the request and sets a timer that ends it. */
const LATE = `(global $late (mut i32) ${OK})
  (func (export "sb_pread") ${RANGE}
    (global.set $late ${req})
    (drop (call $timer (i64.const 1000) (i32.const 5)))
    (i32.const -1))`;
const DONE = (body: string) => `(func (export "sb_done") (param $t i32) (param $r i32) ${body})`;
const REPLY = `(call $reply_zero (global.get $late) (i64.const 0) (i64.const 4096) (i32.const 1))`;
const V31 = { abi: "3.1" };

function late(done: string, more = "", imports: string[] = [], manifest = {}): TestPlugin {
  const all = ["reply_zero", "complete", "timer", "cancel", "error_text", ...imports];
  const wat = laterWat(`${OPEN} ${LATE} ${DONE(done)} ${more}`, all);
  return new TestPlugin(wat, { manifest: { ...V31, ...manifest } });
}

/** Lets the device work until nothing is left to do. */
function settle(plugin: TestPlugin): void {
  const { device } = plugin;
  const endMs = performance.now() + 5000;
  while (device.nextMs !== Infinity) {
    assert(performance.now() < endMs, "the device is never done");
    device.reap();
  }
}

Deno.test("a request is finished later, from a timer", () => {
  const plugin = late(`${REPLY} (call $complete (global.get $late) ${OK})`);
  assert.equal(plugin.submit(Command.Read), Status.Pending);
  assert.deepEqual(plugin.ended, []);
  settle(plugin);
  assert.deepEqual(plugin.ended, [0]);
  assert.deepEqual(plugin.pieces(), [{ kind: Piece.Hole, at: 0, length: 4096, value: 0 }]);
});

Deno.test("several requests of one instance are under way at the same time", () => {
  const store = "(i32.store (i32.mul (global.get $n) (i32.const 4)) (local.get $req))";
  const plugin = new TestPlugin(
    laterWat(
      `${OPEN} (global $n (mut i32) ${OK})
       (func (export "sb_pread") ${RANGE} ${store}
         (global.set $n (i32.add (global.get $n) (i32.const 1)))
         (if (i32.eq (global.get $n) (i32.const 3))
           (then (drop (call $timer (i64.const 0) (i32.const 0)))))
         (i32.const -1))
       (func $end (param $req i32)
         (call $reply_zero ${req} (i64.const 0) (i64.const 512) (i32.const 0))
         (call $complete ${req} ${OK}))
       ${
        DONE(`(call $end (i32.load (i32.const 8))) (call $end (i32.load (i32.const 0)))
         (call $end (i32.load (i32.const 4)))`)
      }`,
      ["reply_zero", "complete", "timer"],
    ),
    { manifest: V31 },
  );
  const order: number[] = [];
  for (let i = 0; i < 3; i++) {
    const request = new Request();
    Object.assign(request, { command: Command.Read, offsetLow: i * 512, lengthLow: 512 });
    request.space = spaceIn(plugin.device.memory);
    request.sink = { completed: (_one, errno) => void order.push(errno === 0 ? i : -1) };
    assert.equal(plugin.opened.submit(request), Status.Pending);
  }
  settle(plugin);
  assert.deepEqual(order, [2, 0, 1]);
});

Deno.test("a request that was pending can fail, with a text", () => {
  const text = `(data (i32.const 64) "broken")`;
  const plugin = late(
    `(call $error_text (i32.const 64) (i32.const 6)) (call $complete (global.get $late) (i32.const 28))`,
    text,
  );
  plugin.submit(Command.Read);
  settle(plugin);
  assert.deepEqual(plugin.ended, [28]);
  assert.equal(plugin.request.errorText, "broken");
});

for (
  const [what, body, fact] of [
    ["an incomplete answer", `(call $complete (global.get $late) ${OK})`, /answered 0 of 4096/],
    ["a wrong errno", "(call $complete (global.get $late) (i32.const 134))", /134, which is no/],
    ["a negative errno", "(call $complete (global.get $late) (i32.const -1))", /-1, which is no/],
    ["a piece too many", `${REPLY} ${REPLY} (call $complete (global.get $late) ${OK})`, /overlaps/],
  ] as const
) {
  Deno.test(`${what} of a request that was pending is a lie that fails it`, () => {
    const plugin = late(body);
    plugin.submit(Command.Read);
    settle(plugin);
    assert.deepEqual(plugin.ended, [5]);
    assert.match(plugin.request.errorText, fact);
  });
}

for (
  const [what, body] of [
    [
      "twice",
      `${REPLY} (call $complete (global.get $late) ${OK})
      (call $complete (global.get $late) ${OK})`,
    ],
    [
      "that is somebody else's",
      `(call $complete (i32.const 77) ${OK})
      ${REPLY} (call $complete (global.get $late) ${OK})`,
    ],
    [
      "that is none",
      `(call $complete ${OK} ${OK})
      ${REPLY} (call $complete (global.get $late) ${OK})`,
    ],
  ] as const
) {
  Deno.test(`completing a request ${what} is told in the log and harms nobody`, () => {
    const plugin = late(body);
    plugin.submit(Command.Read);
    settle(plugin);
    assert.deepEqual(plugin.ended, [0]);
    assert.match(plugin.lines.join(), /breaks the ABI in sb_done: complete: /);
    assert.equal(plugin.submit(Command.Read), Status.Pending);
  });
}

Deno.test("a request cannot be completed before its call has returned", () => {
  const plugin = new TestPlugin(
    laterWat(
      `${OPEN} (func (export "sb_pread") ${RANGE} (call $complete ${req} ${OK}) (i32.const -1))`,
      ["complete"],
    ),
    { manifest: V31 },
  );
  assert.equal(plugin.submit(Command.Read), 5);
  assert.match(plugin.request.errorText, /has not returned yet/);
});

Deno.test("a trap fails what was pending and forgets timers", () => {
  const plugin = late("(if (i32.eq (local.get $t) (i32.const 5)) (then unreachable))");
  plugin.submit(Command.Read);
  settle(plugin);
  assert.deepEqual(plugin.ended, [5]);
  assert.match(plugin.request.errorText, /trapped: unreachable in sb_done/);
  assert.equal(plugin.device.nextMs, Infinity);
});

Deno.test("a timer that is cancelled does not fire", () => {
  const plugin = late(
    `${REPLY} (call $complete (global.get $late) (call $cancel (i32.const 9)))`,
    `(func (export "sb_ready") (result i32)
      (drop (call $timer (i64.const 0) (i32.const 8)))
      (drop (call $timer (i64.const 0) (i32.const 9)))
      (i32.sub (call $cancel (i32.const 8)) (call $cancel (i32.const 7)))
      (drop) (call $cancel (i32.const 9)) (drop) ${OK})`,
  );
  assert.equal(plugin.device.nextMs, Infinity);
  plugin.submit(Command.Read);
  settle(plugin);
  assert.deepEqual(plugin.ended, [0]);
});

Deno.test("a plugin cannot set timers without end", () => {
  const plugin = late(
    "",
    `(func (export "sb_ready") (result i32)
      (loop $more (br_if $more (i32.eqz (call $timer (i64.const 1000000000000) (i32.const 1)))))
      (call $timer (i64.const 0) (i32.const 1)) (drop) ${OK})`,
  );
  assert.notEqual(plugin.device.nextMs, Infinity);
  plugin.device.close();
  assert.equal(plugin.device.nextMs, Infinity);
});

Deno.test("a plugin for 3.0 may neither leave requests pending nor import what came later", () => {
  const pread = `(func (export "sb_pread") ${RANGE} (i32.const -1))`;
  const plugin = new TestPlugin(diskWat({ sb_pread: pread }));
  assert.equal(plugin.submit(Command.Read), 5);
  assert.match(plugin.request.errorText, /returned -1, which is no errno/);
  assert.throws(() => late("", "", [], { abi: "3.0" }), {
    message: 'it imports the function "complete" of ABI 3.1, but its manifest says 3.0',
  });
});

Deno.test("metrics, resize and features", () => {
  const more = `(data (i32.const 0) "pending") (data (i32.const 16) "teleport")
    (func (export "sb_flush") (param i32 i32 i32) (result i32)
      (call $metric (i32.const 1) (i64.const -5))
      (drop (call $resize ${OK} (i64.const 0x100000200)))
      (i32.sub (call $feature (i32.const 0) (i32.const 7)) (i32.const 1))
      (i32.add (call $feature (i32.const 16) (i32.const 8))))`;
  const metrics = [{ name: "a", type: "counter" }, { name: "b", type: "gauge" }];
  const plugin = late("", more, ["metric", "resize", "feature"], { metrics });
  const { info } = plugin.opened;
  assert.equal(plugin.submit(Command.Flush, { length: 0 }), 0);
  assert.deepEqual(plugin.device.metrics(), [{ name: "a", value: 0 }, { name: "b", value: -5 }]);
  assert.deepEqual([info.sizeHigh, info.sizeLow], [1, 512]);
});

Deno.test("a feature that is needed and unknown is refused, one that is used is not", () => {
  const needs = (more: object) => late("", "", [], more);
  assert.throws(() => needs({ needs: ["timrs"] }), {
    message:
      'it needs the feature "timrs", which this sandblock does not have; did you mean "timers"?',
  });
  needs({ needs: ["timers", "pending"], uses: ["teleport"] });
});

Deno.test("a client can be refused before it opens anything", () => {
  const more = `(func (export "sb_connect") (param i32 i32) (result i32)
    (i32.mul (i32.eq (local.get 1) (i32.const 3)) (i32.const 13)))`;
  const plugin = late("", more);
  plugin.device.connect("friend");
  fails(() => plugin.device.connect("foe"), 13, /cannot admit the client: EACCES/);
});

Deno.test("a histogram counts what it is told by size, and needs buckets", () => {
  const metrics = [{ name: "h", type: "histogram", buckets: [10, 100] }];
  const wat = laterWat(
    `${OPEN} (func (export "sb_pread") ${RANGE}
      (call $metric ${OK} (local.get $offset))
      (call $reply_zero ${req} (i64.const 0) (local.get $count) ${OK}) ${OK})`,
    ["metric", "reply_zero"],
  );
  const plugin = new TestPlugin(wat, { manifest: { ...V31, metrics } });
  for (const offset of [0, 10, 11, 4000]) plugin.read(offset, 1);
  const nodes: NodeMetrics[] = [];
  plugin.device.collectMetrics("0", nodes);
  assert.deepEqual(nodes, [{
    node: "0",
    plugin: "test",
    failures: 0,
    restarts: 0,
    samples: [{
      name: "h",
      type: "histogram",
      description: "",
      value: 4021,
      bounds: [10, 100],
      counts: [2, 1, 1],
    }],
  }]);
  const refused = (metric: object, message: RegExp) =>
    assert.throws(
      () => new TestPlugin(wat, { manifest: { ...V31, metrics: [{ name: "h", ...metric }] } }),
      { message },
    );
  const list = /has a wrong "buckets": it must be a list of 1 to 64 ascending numbers/;
  refused({ type: "histogram" }, list);
  refused({ type: "histogram", buckets: [] }, list);
  refused({ type: "histogram", buckets: [1, 1] }, list);
  refused({ type: "histogram", buckets: [0.5] }, list);
  refused({ type: "gauge", buckets: [1] }, /only a histogram has buckets/);
});
