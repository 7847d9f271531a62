// SPDX-License-Identifier: MIT
// Stable data in answers that wait for more: its memory becomes something else, the answer does not.

import assert from "node:assert/strict";
import { copyFrom } from "../block/memory.ts";
import { Command, Piece, Request, Status } from "../block/request.ts";
import { spaceIn } from "../block/testing.ts";
import { Agenda } from "./agenda.ts";
import { TestPlugin } from "./test_device.ts";
import { count, filter, lateDisk, offset, OK, req, settle } from "./test_filters.ts";
import { diskWat, RANGE } from "./test_plugins.ts";

/** Makes something else of the memory that a range lies in, as only trims and zeroes may. */
const reuse = (name: string) =>
  `(func (export "${name}") ${RANGE}
    (memory.fill (i32.wrap_i64 ${offset}) (i32.const 9) (i32.wrap_i64 ${count})) ${OK})`;

/** A read of `length` bytes at 0 that is pending. */
function pendingRead(plugin: TestPlugin, length: number): { request: Request; ended: number[] } {
  const request = new Request();
  const ended: number[] = [];
  Object.assign(request, { command: Command.Read, lengthLow: length });
  request.space = spaceIn(plugin.device.memory);
  request.sink = { completed: (_one, errno) => void ended.push(errno) };
  assert.equal(plugin.opened.submit(request), Status.Pending);
  return { request, ended };
}

function bytesOf(request: Request): Uint8Array {
  const bytes = new Uint8Array(request.length);
  for (let i = 0; i < request.pieceCount; i++) {
    assert(request.pieceKind(i) <= Piece.StableData);
    const at = request.pieceAt(i);
    copyFrom(request.pieceValue(i), bytes.subarray(at, at + request.pieceLength(i)));
  }
  return bytes;
}

for (
  const [name, command] of [["sb_trim", Command.Trim], ["sb_zero", Command.WriteZeroes]] as const
) {
  Deno.test(`stable data of a pending answer is copied before ${name} makes its memory free`, () => {
    const agenda = new Agenda();
    const plugin = lateDisk(agenda, reuse(name));
    plugin.write(0, new Uint8Array(512).fill(7));
    settle(plugin, agenda);
    const { request, ended } = pendingRead(plugin, 512);
    assert.equal(plugin.submit(command, { length: 512 }), 0);
    settle(plugin, agenda);
    assert.deepEqual(ended, [0]);
    assert.deepEqual(bytesOf(request), new Uint8Array(512).fill(7));
  });
}

Deno.test("stable data from below is copied while the rest of the answer is under way", () => {
  const agenda = new Agenda();
  const quick = new TestPlugin(diskWat({}, reuse("sb_trim")), { agenda });
  const late = lateDisk(agenda);
  const half = (child: number, at: number) =>
    `(call $next_forward ${req} (i32.const ${child}) (i64.const ${at}) (i64.const 256)
      (i64.const ${at}) (i32.const 0) ${OK})`;
  const plugin = filter(
    `(func (export "sb_pread") ${RANGE} (drop ${half(0, 0)}) ${half(1, 256)})
     (func (export "sb_size") (param i32) (result i64) (i64.const 512))`,
    { below: [quick, late], agenda, manifest: { children: { minimum: 2, maximum: 2 } } },
  );
  quick.write(0, new Uint8Array(512).fill(7));
  const { request, ended } = pendingRead(plugin, 512);
  // As the reactor does before it passes a trim on, whoever answers that.
  plugin.device.settle();
  assert.equal(quick.submit(Command.Trim, { length: 512 }), 0);
  settle(plugin, agenda);
  assert.deepEqual(ended, [0]);
  assert.deepEqual(bytesOf(request).subarray(0, 256), new Uint8Array(256).fill(7));
});
