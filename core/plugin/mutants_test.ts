// SPDX-License-Identifier: MIT
// Plugins with random damage in their code run and are asked: whatever they do, the host answers each
// request with 0 and a whole answer, or an errno, in time.

import assert from "node:assert/strict";
import { BlockError, ERRNO_MAX } from "../block/errno.ts";
import { Piece, Request } from "../block/request.ts";
import { spaceIn } from "../block/testing.ts";
import { PluginError } from "./errors.ts";
import { PluginDevice } from "./instance.ts";
import { type PreparedPlugin, preparePlugin } from "./prepare.ts";
import { diskWat, plugin, RANGE } from "./test_plugins.ts";
import { RemoteWatchdog } from "./test_watchdog.ts";
import type { Watch } from "./watch.ts";

const TIMEOUT_MS = 20;
const MUTANTS = 4000;

/** A disk that uses everything there is, so that there is something to damage. */
const WAT = diskWat(
  {
    sb_pread: `(func (export "sb_pread") ${RANGE} (local $at i64) (local $part i64)
      (if (i64.lt_u (local.get $count) (i64.const 64)) (then
        (call $reply_data (local.get $req) (i64.const 0) (i32.const 65536) (local.get $count)
          (i32.const 0)) (return (i32.const 0))))
      (local.set $part (i64.div_u (local.get $count) (i64.const 4)))
      (loop $next
        (call $reply_zero (local.get $req) (local.get $at) (local.get $part) (i32.const 1))
        (local.set $at (i64.add (local.get $at) (local.get $part)))
        (br_if $next (i64.lt_u (local.get $at) (i64.mul (local.get $part) (i64.const 3)))))
      (memory.fill (call $reply_buffer (local.get $req) (local.get $at)
          (i64.sub (local.get $count) (local.get $at)))
        (i32.const 7) (i32.wrap_i64 (i64.sub (local.get $count) (local.get $at))))
      (i32.const 0))`,
  },
  `(func (export "sb_flush") (param i32 i32 i32) (result i32) (i32.const 0))
   (func (export "sb_trim") ${RANGE} (call $release (i32.const 65536) (i32.const 8192)) (i32.const 0))
   (func (export "sb_extents") ${RANGE}
     (call $extent (local.get $req) (local.get $count) (i32.const 3)) (i32.const 0))
   (func (export "sb_info") (param i32 i32) (result i32)
     (i32.store offset=40 (local.get 1) (i32.const 1)) (i32.const 0))`,
);

/** A generator of numbers 0 to `below` - 1 that gives the same ones for the same seed. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 4294967296 * below);
  };
}

/** The disk with a few bytes changed, if that is still a plugin. */
function mutant(good: Uint8Array, random: (below: number) => number): PreparedPlugin | null {
  const bytes = good.slice();
  for (let left = 1 + random(3); left > 0; left--) {
    const other = random(2) === 0 ? random(256) : good[random(good.length)]!;
    bytes[random(bytes.length)] = other;
  }
  try {
    return preparePlugin(bytes, { memoryMaximum: 4 * 1024 * 1024 });
  } catch (error) {
    assert(error instanceof PluginError, `${(error as Error).stack}`);
    return null;
  }
}

/** Checks that an answer to a read covers it with pieces in the memory. */
function checkRead(request: Request, device: PluginDevice): void {
  let at = 0;
  for (let index = 0; index < request.pieceCount; index++) {
    assert.equal(request.pieceAt(index), at);
    at += request.pieceLength(index);
    const kind = request.pieceKind(index);
    if (kind !== Piece.Data && kind !== Piece.StableData) continue;
    const from = request.pieceValue(index) - device.memory.address;
    assert(from >= 0 && from + request.pieceLength(index) <= device.memory.bytes.length);
  }
  assert.equal(at, request.length);
}

/** Starts a plugin and asks it something of everything. Returns the longest request in ms. */
function exercise(
  prepared: PreparedPlugin,
  watch: Watch,
  random: (below: number) => number,
): number {
  let longestMs = 0;
  try {
    const device = PluginDevice.create(prepared, [], { watch, log: () => {}, instances: 1 });
    const opened = device.open("", { readOnly: random(4) === 0, peer: "test" });
    const request = new Request();
    request.space = spaceIn(device.memory);
    const payload = device.memory.allocate(4096, 16);
    request.payload = device.memory.address + payload;
    for (let command = 0; command < 16; command++) {
      request.clear();
      request.command = command % 8;
      if (request.command === 1 && payload === 0) continue;
      request.flags = random(32);
      request.offsetLow = random(60000);
      request.lengthLow = 1 + random(4096);
      const startMs = performance.now();
      const errno = opened.submit(request);
      longestMs = Math.max(longestMs, performance.now() - startMs);
      assert(Number.isInteger(errno) && errno >= 0 && errno <= ERRNO_MAX, `errno ${errno}`);
      if (errno === 0 && request.command === 0) checkRead(request, device);
    }
    opened.close();
    device.close();
  } catch (error) {
    assert(error instanceof BlockError, `${(error as Error).stack}`);
  }
  return longestMs;
}

Deno.test("plugins with random damage never harm their host", async () => {
  using watchdog = new RemoteWatchdog();
  const watch = await watchdog.watch(TIMEOUT_MS);
  const good = plugin(WAT);
  const random = randomNumbers(20);
  let ran = 0;
  let longestMs = 0;
  for (let left = MUTANTS; left > 0; left--) {
    const prepared = mutant(good, random);
    if (prepared === null) continue;
    ran++;
    longestMs = Math.max(longestMs, exercise(prepared, watch, random));
  }
  assert(ran > MUTANTS / 20, `only ${ran} of ${MUTANTS} could be run`);
  // An emulated request is bounded as a whole, and one step of it once more.
  assert(longestMs < 250 * TIMEOUT_MS, `a request took ${longestMs} ms`);
});
