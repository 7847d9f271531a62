// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { BlockError, Errno } from "../../block/errno.ts";
import { Command, Piece } from "../../block/request.ts";
import { PluginError } from "../errors.ts";
import { writeManifest } from "../manifest.ts";
import { preparePlugin } from "../prepare.ts";
import { TestPlugin } from "../test_device.ts";
import { manifestJson } from "../test_plugins.ts";
import { RemoteWatchdog } from "../test_watchdog.ts";
import { component, componentWat, DISK_BYTES, failureWat } from "./test_component.ts";

/** Reproducible. */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(limit: number): number {
    this.#state = Math.imul(this.#state ^ (this.#state >>> 15), 0x2c1b3c6d) + 0x297a2d39 | 0;
    return (this.#state >>> 0) % limit;
  }
}

const EMPTY_COMPONENT = Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0);

function run(replaced: Record<string, string> = {}, more = "", options = {}): TestPlugin {
  return new TestPlugin(component(componentWat(replaced, more)), options);
}

Deno.test("a component answers reads with what was written", () => {
  const disk = run();
  assert.equal(disk.opened.info.sizeLow, DISK_BYTES);
  assert.equal(disk.write(4096, Uint8Array.of(1, 2, 3, 4)), 0);
  assert.deepEqual([...disk.read(4094, 8)], [0, 0, 1, 2, 3, 4, 0, 0]);
  assert.equal(disk.submit(Command.WriteZeroes, { offset: 4097, length: 2 }), 0);
  assert.deepEqual([...disk.read(4094, 8)], [0, 0, 1, 0, 0, 4, 0, 0]);
  assert.deepEqual(disk.lines, []);
});

Deno.test("a component's failure becomes an errno with its text", () => {
  const disk = run({ pread: `(call $drop (local.get $request)) ${failureWat(28)}` });
  assert.equal(disk.submit(Command.Read), 28);
  assert.equal(disk.request.errorText, "no luck");
});

Deno.test("a trap in a component fails its request and no other", () => {
  const disk = run({
    pread: `(if (i64.eqz (local.get $offset)) (then (unreachable)))
    (call $zero (local.get $request) (i64.const 0) (local.get $count) (i32.const 1))
    (call $drop (local.get $request)) (global.get $ok)`,
  });
  assert.equal(disk.submit(Command.Read), Errno.EIO);
  assert.match(disk.lines[0]!, /error: plugin "test": trapped: unreachable in sb_pread/);
  assert.deepEqual([...disk.read(4096, 2)], [0, 0]);
});

Deno.test("an answer of a component is checked like any other", () => {
  const gap = run({ pread: "(call $drop (local.get $request)) (global.get $ok)" });
  assert.equal(gap.submit(Command.Read), Errno.EIO);
  assert.match(gap.request.errorText, /it answered 0 of 4096 bytes/);
  const beyond = run({
    pread: `(call $zero (local.get $request) (i64.const 0)
    (i64.const 0x100000000000) (i32.const 0)) (global.get $ok)`,
  });
  assert.equal(beyond.submit(Command.Read), Errno.EIO);
  assert.match(beyond.request.errorText, /17592186044416 bytes at 0 reach beyond/);
});

Deno.test("extents of a component have 64 bits", () => {
  const disk = run({
    size: `(i32.store8 (i32.const 1072) (i32.const 0))
      (i64.store (i32.const 1080) (i64.const 0x10000000000000)) (i32.const 1072)`,
  });
  const length = 0x8000000000000n;
  assert.equal(disk.submit(Command.BlockStatus, { length }), 0);
  assert.deepEqual(disk.pieces(), [{ kind: Piece.Extent, at: 0x80000, length: 0, value: 0 }]);
});

Deno.test("a request that is taken for later is finished by a timer", async () => {
  const disk = run({
    pread: `(call $zero (local.get $request) (i64.const 0) (local.get $count) (i32.const 0))
      (global.set $kept (call $later (local.get $request)))
      (call $drop (local.get $request))
      (call $timer (i64.const 1000000) (i32.const 5) (i32.const 2048))
      (global.get $ok)`,
    done: `(if (i32.eq (local.get $token) (i32.const 5)) (then
      (call $finish (global.get $kept) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
      (call $drop (global.get $kept))))`,
  });
  for (const round of [1, 2, 3]) {
    assert.equal(disk.submit(Command.Read), -1);
    while (disk.ended.length < round) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      disk.device.reap();
    }
  }
  assert.deepEqual(disk.ended, [0, 0, 0]);
  assert.deepEqual(disk.lines, []);
});

Deno.test("a request that is taken for later may be finished at once", () => {
  const finish = (result: string) =>
    `(call $zero (local.get $request) (i64.const 0) (local.get $count) (i32.const 0))
     (global.set $kept (call $later (local.get $request)))
     (call $drop (local.get $request))
     (call $finish (global.get $kept) ${result})
     (call $drop (global.get $kept))
     (global.get $ok)`;
  const done = "(i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)";
  const disk = run({ pread: finish(done) });
  assert.equal(disk.submit(Command.Read), 0);
  const failed = "(i32.const 1) (i32.const 30) (i32.const 512) (i32.const 7)";
  const failing = run({ pread: finish(failed) });
  assert.equal(failing.submit(Command.Read), Errno.EROFS);
  assert.equal(failing.request.errorText, "no luck");
  assert.deepEqual([...disk.lines, ...failing.lines], []);
});

Deno.test("a request that a component lets go of fails", () => {
  const disk = run({
    pread: `(call $drop (call $later (local.get $request)))
      (call $drop (local.get $request)) (global.get $ok)`,
  });
  assert.notEqual(disk.submit(Command.Read), 0);
});

Deno.test("a component in an endless loop is ended", async () => {
  using watchdog = new RemoteWatchdog();
  const watch = await watchdog.watch(50);
  const disk = run({ pread: "(loop $l (br $l)) (unreachable)" }, "", { watch });
  assert.equal(disk.submit(Command.Read), Errno.EIO);
  assert.match(disk.request.errorText, /took longer than 50 ms in sb_pread/);
});

Deno.test("a component gets no more memory than it may have", () => {
  const grow = `(if (i32.ne (memory.grow (i32.const 100)) (i32.const -1)) (then (unreachable)))`;
  const disk = run({ flush: `${grow} (call $drop (local.get $request)) (global.get $ok)` }, "", {
    memoryMaximum: 65536 * 20,
  });
  assert.equal(disk.submit(Command.Flush, { length: 0 }), 0);
  assert.throws(
    () => preparePlugin(component(componentWat()), { memoryMaximum: 65536 }),
    /it starts with 262144 bytes of memory; it may have 65536/,
  );
});

Deno.test("handles that a component never gives back are bounded", () => {
  const disk = run({
    flush: `(loop $l (drop (call $later (local.get $request))) (br $l)) (unreachable)`,
  });
  assert.equal(disk.submit(Command.Flush, { length: 0 }), Errno.EIO);
  assert.match(disk.request.errorText, /too many handles/);
});

Deno.test("a handle that does not exist is a trap", () => {
  const disk = run({
    flush: `(call $zero (i32.const 77) (i64.const 0) (i64.const 1) (i32.const 0)) (global.get $ok)`,
  });
  assert.equal(disk.submit(Command.Flush, { length: 0 }), Errno.EIO);
  assert.match(disk.request.errorText, /a handle that it does not have/);
});

Deno.test("names in a component do not become code", () => {
  const name = `x'];globalThis.escaped=true;//`;
  const wat = componentWat({}, `(func (export "${name}"))`);
  assert.throws(() => preparePlugin(component(wat)), /names may have no quotes/);
  assert.equal("escaped" in globalThis, false);
});

Deno.test("a component for another world is refused in one sentence", () => {
  const wat = `(module (memory (export "memory") 1))`;
  assert.throws(() => component(wat), Error);
  assert.throws(
    () => preparePlugin(writeManifest(EMPTY_COMPONENT, manifestJson())),
    /it exports no interface "sandblock:plugin\/device@3.2.0"/,
  );
  assert.throws(
    () => preparePlugin(writeManifest(Uint8Array.of(...EMPTY_COMPONENT, 99, 1, 0), manifestJson())),
    { name: "PluginError", message: /^a component that cannot be adapted: .*section/ },
  );
});

Deno.test("a damaged component is refused, or runs within its bounds", () => {
  const good = component(componentWat());
  const random = new Random(7);
  for (let round = 0; round < 40; round++) {
    const bytes = new Uint8Array(good);
    for (let count = 1 + random.below(4); count > 0; count--) {
      bytes[8 + random.below(bytes.length - 8)] = random.below(256);
    }
    try {
      const disk = new TestPlugin(bytes);
      disk.submit(Command.Read);
      disk.submit(Command.Flush, { length: 0 });
    } catch (error) {
      const known = error instanceof PluginError || error instanceof BlockError;
      assert.ok(known, `round ${round}: ${(error as Error).stack}`);
    }
  }
});
