// SPDX-License-Identifier: MIT
// Buffers and payloads that a plugin wants aligned, by itself and below filters.

import assert from "node:assert/strict";
import { spaceIn } from "../block/testing.ts";
import { Command } from "../block/request.ts";
import { Agenda } from "./agenda.ts";
import { TestPlugin } from "./test_device.ts";
import { type Filter, filter, forward, offset, OK, req, WRITE } from "./test_filters.ts";
import { laterWat, RANGE } from "./test_plugins.ts";

const ALIGNMENT = 4096;

/** Answers a read in two buffers, the second behind 512 bytes; notes where buffers and payloads were. */
function picky(agenda: Agenda): TestPlugin {
  const wat = laterWat(
    `(global $seen (mut i32) ${OK})
     (func $see (param $p i32) (result i32)
       (global.set $seen (i32.or (global.get $seen) (local.get $p))) (local.get $p))
     (func (export "sb_open") (param i32 i32 i32) (result i32) ${OK})
     (func (export "sb_size") (param i32) (result i64) (i64.const 65536))
     (func (export "sb_pread") ${RANGE}
       (i32.store8 (call $see (call $reply_buffer ${req} (i64.const 0) (i64.const 512))) (i32.const 1))
       (i32.store8 (call $see (call $reply_buffer ${req} (i64.const 512)
         (i64.sub (local.get $count) (i64.const 512)))) (i32.const 2)) ${OK})
     (func (export "sb_pwrite") ${WRITE} (drop (call $see (local.get $data)))
       (i32.sub (i32.load8_u (local.get $data)) (i32.const 77)))
     (func (export "sb_info") (param $h i32) (param $out i32) (result i32)
       (i32.store offset=40 (local.get $out) (i32.const 1)) ${OK})
     (func (export "sb_extents") ${RANGE}
       (call $extent ${req} (i64.extend_i32_u (global.get $seen)) ${OK}) ${OK})`,
    ["reply_buffer", "extent"],
  );
  return new TestPlugin(wat, { manifest: { abi: "3.1", alignment: ALIGNMENT }, agenda });
}

/** All addresses that the plugin has seen, one or-ed to the other. */
function seen(disk: TestPlugin): number {
  assert.equal(disk.submit(Command.BlockStatus), 0);
  return disk.request.pieceLength(0);
}

function check(plugin: TestPlugin, disk: TestPlugin): void {
  assert.ok(plugin.device.bufferAlignment >= ALIGNMENT);
  plugin.request.space = spaceIn(plugin.device.memory, plugin.device.bufferAlignment);
  // Something that is not aligned comes first.
  plugin.device.memory.allocate(24, 8);
  const bytes = plugin.read(0, 1024);
  assert.deepEqual([bytes[0], bytes[512]], [1, 2]);
  plugin.device.memory.allocate(24, 8);
  assert.equal(plugin.write(8, Uint8Array.of(77)), 0);
  assert.notEqual(seen(disk), 0);
  assert.equal(seen(disk) % ALIGNMENT, 0);
}

Deno.test("a plugin gets buffers and payloads as it wants them", () => {
  const disk = picky(new Agenda());
  check(disk, disk);
});

Deno.test("what is read ahead for it does not make it see other buffers", () => {
  const disk = picky(new Agenda());
  disk.request.space = spaceIn(disk.device.memory, disk.device.bufferAlignment);
  assert.equal(disk.submit(Command.Cache, { length: 8192 }), 0);
  assert.equal(seen(disk) % ALIGNMENT, 0);
});

const TRANSFORM = { manifest: { calls: { pread: "transform", pwrite: "transform" } } };
/** Reads and writes below it by itself, at addresses that suit nobody. */
const OWN = `(func (export "sb_pread") ${RANGE}
    (if (call $next_pread (local.get $h) ${OK} (i32.const 1027) (local.get $count) ${offset} ${OK} ${OK})
      (then (return (i32.const 5))))
    (call $reply_data ${req} (i64.const 0) (i32.const 1027) (local.get $count) ${OK}) ${OK})
  (func (export "sb_pwrite") ${WRITE}
    (i32.store8 (i32.const 1027) (i32.load8_u (local.get $data)))
    (call $next_pwrite (local.get $h) ${OK} (i32.const 1027) (local.get $count) ${offset} ${OK} ${OK}))`;

for (
  const [what, functions, options] of [
    ["passes everything", "", {}],
    ["forwards", `${forward("sb_pread", offset)} ${forward("sb_pwrite", offset, WRITE)}`, {}],
    ["wants payloads itself", forward("sb_pwrite", offset, WRITE), {
      manifest: { calls: { pwrite: "transform" } },
    }],
    ["reads and writes itself", OWN, {
      ...TRANSFORM,
      imports: ["next_pread", "next_pwrite", "reply_data"],
    }],
  ] as [string, string, Filter][]
) {
  Deno.test(`a filter that ${what} keeps the alignment of what is below it`, () => {
    const agenda = new Agenda();
    const disk = picky(agenda);
    const plugin = filter(functions, { below: [disk], agenda, ...options });
    check(plugin, disk);
    check(filter("", { below: [plugin], agenda }), disk);
  });
}
