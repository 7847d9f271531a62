// SPDX-License-Identifier: MIT
// Capabilities and block sizes: what is assumed of a plugin and what it may say itself.

import assert from "node:assert/strict";
import { Errno } from "../block/errno.ts";
import { Support } from "../block/export.ts";
import { fails, TestPlugin } from "./test_device.ts";
import { diskWat, laterWat, RANGE } from "./test_plugins.ts";

const OK = "(i32.const 0)";

Deno.test("capabilities follow from what is exported", () => {
  const range = (name: string) =>
    `(func (export "${name}") (param i32 i32 i64 i64 i32) (result i32) ${OK})`;
  const can = (more: string, options = {}, disk = {}) =>
    new TestPlugin(diskWat(disk, more), options).opened.info.can;
  const flush = `(func (export "sb_flush") (param i32 i32 i32) (result i32) ${OK})`;
  const { None, Emulate, Native } = Support;
  assert.deepEqual(can(""), {
    write: Native,
    flush: None,
    fua: None,
    trim: None,
    zero: Emulate,
    fastZero: Emulate,
    cache: None,
    extents: None,
    multiConn: Native,
    secureErase: None,
    ioctl: None,
  });
  const all = ["sb_trim", "sb_zero", "sb_cache", "sb_extents"].map(range).join("") + flush;
  assert.deepEqual(can(all, { instances: 2 }), {
    write: Native,
    flush: Native,
    fua: Emulate,
    trim: Native,
    zero: Native,
    fastZero: None,
    cache: Native,
    extents: Native,
    multiConn: None,
    secureErase: None,
    ioctl: None,
  });
  // Nothing that changes the device remains where it cannot be written; nothing can be missed then.
  assert.deepEqual(can(all, { instances: 2 }, { sb_pwrite: "" }), {
    write: None,
    flush: Native,
    fua: None,
    trim: None,
    zero: None,
    fastZero: None,
    cache: Native,
    extents: Native,
    multiConn: Native,
    secureErase: None,
    ioctl: None,
  });
});

Deno.test("an export that is opened read-only has no capability to change it", () => {
  const { device } = new TestPlugin(diskWat());
  const { info } = device.open("", { readOnly: true, peer: "" });
  assert.equal(info.readOnly, true);
  assert.equal(info.can.write, Support.None);
  assert.equal(info.can.zero, Support.None);
  assert.equal(info.can.fastZero, Support.None);
});

/** sb_info that stores values at indices of the struct. */
function informed(fields: Record<number, number>, more = "", disk = {}): TestPlugin {
  const stores = Object.entries(fields).map(([index, value]) =>
    `(i32.store offset=${Number(index) * 4} (local.get 1) (i32.const ${value}))`
  );
  const info = `(func (export "sb_info") (param i32 i32) (result i32)
    (memory.copy (i32.const 0) (local.get 1) (i32.const 56)) ${stores.join(" ")} ${OK})`;
  return new TestPlugin(diskWat(disk, `${info} ${more}`));
}

Deno.test("sb_info finds the defaults and overrides them", () => {
  const plugin = informed({ 1: 512, 2: 65536, 3: 1048576, 8: 0, 10: 1, 12: 0, 13: 1 });
  const { info } = plugin.opened;
  assert.deepEqual(info.blockSize, { minimum: 512, preferred: 65536, maximum: 1048576 });
  assert.equal(info.rotational, true);
  assert.equal(info.can.zero, Support.None);
  assert.equal(info.can.cache, Support.Emulate);
  assert.equal(info.can.multiConn, Support.None);
  const seen = Array.from({ length: 14 }, (_, index) => {
    return plugin.device.memory.view.getUint32(index * 4, true);
  });
  assert.deepEqual(seen, [56, 1, 4096, 33554432, 2, 0, 0, 0, 1, 1, 0, 0, 2, 0]);
});

Deno.test("what sb_info may not say is told by name", () => {
  const cases: [Record<number, number>, RegExp][] = [
    [{ 0: 60 }, /in sb_info: struct_size is 60; the host knows 56 bytes$/],
    [{ 1: 0 }, /block_minimum is 0; it must be a power of two, 1 to 65536$/],
    [{ 1: 3 }, /block_minimum is 3/],
    [{ 1: 131072 }, /block_minimum is 131072/],
    [{ 2: 256 }, /block_preferred is 256; it must be a power of two, 512 to 33554432$/],
    [{ 1: 8192 }, /block_preferred is 4096; it must be a power of two, 8192 to/],
    [{ 3: 4000 }, /block_maximum is 4000; it must be a multiple of block_minimum/],
    [{ 1: 4096, 3: 4097 }, /block_maximum is 4097/],
    [{ 4: 3 }, /write is 3; it must be 0, 1 or 2$/],
    [{ 4: 1 }, /the host cannot emulate write$/],
    [{ 5: 2 }, /flush is native, but there is no function "sb_flush"$/],
    [{ 6: 1 }, /fua is emulated, but there is no function "sb_flush"$/],
    [{ 7: 2 }, /trim is native, but there is no function "sb_trim"$/],
    [{ 8: 2 }, /zero is native, but there is no function "sb_zero"$/],
    [{ 11: 2 }, /extents is native, but there is no function "sb_extents"$/],
    [{ 13: 2 }, /rotational is 2; it must be 0 or 1$/],
  ];
  for (const [fields, message] of cases) {
    fails(() => informed(fields).opened, Errno.EIO, message);
  }
  const zero = `(func (export "sb_zero") (param i32 i32 i64 i64 i32) (result i32) ${OK})`;
  fails(
    () => informed({ 8: 1, 9: 2 }, zero).opened,
    Errno.EIO,
    /fastZero is native, but zero is not$/,
  );
  assert.equal(informed({ 3: -1 }).opened.info.blockSize.maximum, 0xffffffff);
});

Deno.test("clients can be told block sizes that they are not held to", () => {
  const info = (advice: string, more = "") => {
    const wat = laterWat(
      `(func (export "sb_open") (param i32 i32 i32) (result i32) ${OK} ${more})
       (func (export "sb_size") (param i32) (result i64) (i64.const 65536))
       (func (export "sb_pread") ${RANGE} ${OK})
       (func (export "sb_info") (param i32 i32) (result i32) (call $block_advice ${advice}) ${OK})`,
      ["block_advice"],
    );
    return new TestPlugin(wat, { manifest: { abi: "3.1" } }).opened.info;
  };
  const sizes = "(i32.const 4096) (i32.const 8192) (i32.const -1)";
  const { blockSize, advertised } = info(sizes);
  assert.deepEqual(blockSize, { minimum: 1, preferred: 4096, maximum: 33554432 });
  assert.deepEqual(advertised, { minimum: 4096, preferred: 8192, maximum: 0xffffffff });
  fails(
    () => info("(i32.const 3) (i32.const 4096) (i32.const 4096)"),
    Errno.EIO,
    /block_advice: block_minimum is 3; it must be a power of two/,
  );
  fails(
    () => info(sizes, `(call $block_advice ${sizes})`),
    Errno.EIO,
    /block_advice: it was not asked for block sizes/,
  );
});
