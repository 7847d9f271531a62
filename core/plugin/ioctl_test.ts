// SPDX-License-Identifier: MIT
// Ioctls to plugins and through filters (ABI, "Secure erase and ioctls").

import assert from "node:assert/strict";
import { HostMemory } from "../backend/host_memory.ts";
import { Errno } from "../block/errno.ts";
import { ioctlBytes } from "../block/ioctl.ts";
import { Command } from "../block/request.ts";
import { spaceIn } from "../block/testing.ts";
import { Agenda } from "./agenda.ts";
import { preparePlugin } from "./prepare.ts";
import { TestPlugin } from "./test_device.ts";
import { filter, forward, OK, req, settle } from "./test_filters.ts";
import { diskWat, laterWat, plugin } from "./test_plugins.ts";
import { TestPool } from "./blocking/test_pool.ts";

const V32 = { abi: "3.2" };
/** _IOWR('*', 1, u32), and one without argument. */
const NEXT = 0xc0042a01;
const PING = 0x00002a02;
const PARAMETERS = `(param $h i32) (param $req i32) (param $number i32) (param $argument i32)
  (param $length i32) (result i32)`;

/** Adds one to the argument of NEXT, does nothing for PING; what `later` says comes before that. */
function answering(before = "", status = OK): string {
  return `(func (export "sb_ioctl") ${PARAMETERS}
    (if (i32.eq (local.get $number) (i32.const ${PING}))
      (then (return (select (i32.const 5) ${OK} (i32.or (local.get $length) (local.get $argument))))))
    (if (i32.ne (local.get $number) (i32.const ${NEXT | 0})) (then (return (i32.const 25))))
    (if (i32.rem_u (local.get $argument) (i32.const 8)) (then (return (i32.const 22))))
    (i32.store (local.get $argument) (i32.add (i32.load (local.get $argument)) (i32.const 1)))
    ${before} ${status})`;
}

function disk(more = answering(), agenda = new Agenda()): TestPlugin {
  return new TestPlugin(diskWat({}, more), { manifest: V32, agenda });
}

/** Makes an ioctl whose argument, of as many bytes as its number says, begins with `value`. */
function control(to: TestPlugin, number: number, value: number, at = 0): [number, number] {
  const { memory } = to.device;
  const length = ioctlBytes(number);
  const pointer = memory.allocate(length + at, 16) + at;
  memory.view.setUint32(pointer, value, true);
  const { request } = to;
  request.ioctl = number;
  request.payload = memory.address + pointer;
  const errno = to.submit(Command.Ioctl, { length });
  return [errno, memory.view.getUint32(pointer, true)];
}

Deno.test("an ioctl is answered in the place of its argument", () => {
  const one = disk();
  assert.equal(one.opened.info.can.ioctl, 2);
  assert.deepEqual(control(one, NEXT, 41), [0, 42]);
  assert.deepEqual(control(one, PING, 7), [0, 7]);
  assert.deepEqual(control(one, 0xc0042a03, 41), [Errno.ENOTTY, 41]);
});

Deno.test("what a plugin has no function for is refused before it is asked", () => {
  const plain = new TestPlugin(diskWat());
  assert.deepEqual(control(plain, NEXT, 41), [Errno.ENOTTY, 41]);
  assert.match(plain.request.errorText, /^the export has no ioctl$/);
  assert.equal(plain.submit(Command.SecureErase), Errno.EOPNOTSUPP);
  assert.match(plain.request.errorText, /^the export has no secure erase$/);
});

Deno.test("an argument that lies elsewhere, or askew, is copied, and the answer back if there is one", () => {
  const one = disk();
  assert.deepEqual(control(one, NEXT, 41, 4), [0, 42]);
  const memory = new HostMemory(1 << 20);
  const pointer = memory.allocate(64, 16);
  const { request } = one;
  request.space = spaceIn(memory);
  request.payload = memory.address + pointer;
  const ask = (number: number) => {
    memory.view.setUint32(pointer, 41, true);
    request.ioctl = number;
    const errno = one.submit(Command.Ioctl, { length: ioctlBytes(number) });
    return [errno, memory.view.getUint32(pointer, true)];
  };
  assert.deepEqual(ask(NEXT), [0, 42]);
  const failing = disk(answering("", "(i32.const 30)"));
  failing.request.space = spaceIn(memory);
  failing.request.payload = request.payload;
  failing.request.ioctl = NEXT;
  memory.view.setUint32(pointer, 41, true);
  assert.equal(failing.submit(Command.Ioctl, { length: 4 }), Errno.EROFS);
  assert.equal(memory.view.getUint32(pointer, true), 41);
});

Deno.test("an ioctl may be finished later", () => {
  const agenda = new Agenda();
  const later = laterWat(
    `(func (export "sb_open") (param i32 i32 i32) (result i32) ${OK})
     (func (export "sb_size") (param i32) (result i64) (i64.const 65536))
     (func (export "sb_pread") (param i32 i32 i64 i64 i32) (result i32) (i32.const 5))
     (global $at (mut i32) ${OK})
     (func (export "sb_ioctl") ${PARAMETERS} (global.set $at (local.get $argument))
       (drop (call $timer (i64.const 0) ${req})) (i32.const -1))
     (func (export "sb_done") (param i32 i32)
       (i32.store (global.get $at) (i32.const 43)) (call $complete (local.get 0) ${OK}))`,
    ["timer", "complete"],
  );
  const one = new TestPlugin(later, { manifest: V32, agenda });
  for (const [shift, before] of [[0, 41], [4, 41]] as const) {
    assert.deepEqual(control(one, NEXT, before, shift), [-1, before]);
    settle(one, agenda);
    const pointer = one.request.payload - one.device.memory.address;
    assert.equal(one.device.memory.view.getUint32(pointer, true), 43);
  }
  assert.deepEqual(one.ended, [0, 0]);
});

Deno.test("neither passes a filter that does not say so, even one that was written before", () => {
  const below = () => [disk(answering() + erasing("(local.get $offset)"))];
  const can = (manifest: Record<string, unknown>, functions = "") => {
    const { secureErase, ioctl } = filter(functions, { below: below(), manifest }).opened.info.can;
    return [secureErase, ioctl];
  };
  assert.deepEqual(can({}), [0, 0]);
  assert.deepEqual(can(V32), [0, 0]);
  const pass = { secure_erase: "pass", ioctl: "pass" };
  assert.deepEqual(can({ ...V32, calls: pass }), [2, 2]);
  const itself = forward("sb_pwrite", "(local.get $offset)", WRITE);
  assert.deepEqual(can({ ...V32, calls: { ...pass, pwrite: "transform" } }, itself), [0, 2]);
  const deaf = filter("", { below: below(), manifest: V32 });
  assert.deepEqual(control(deaf, NEXT, 41), [Errno.ENOTTY, 41]);
  const open = filter("", { below: below(), manifest: { ...V32, calls: pass } });
  assert.deepEqual(control(open, NEXT, 41), [0, 42]);
});

const WRITE = `(param $h i32) (param $req i32) (param $data i32) (param $count i64)
  (param $offset i64) (param $flags i32) (result i32)`;

/** A secure erase that answers with an errno made of where it was asked for. */
function erasing(offset: string): string {
  return `(func (export "sb_secure_erase") (param $h i32) (param $req i32) (param $count i64)
    (param $offset i64) (param $flags i32) (result i32)
    (i32.add (i32.wrap_i64 (i64.shr_u ${offset} (i64.const 12))) (i32.const 1)))`;
}

Deno.test("a filter that moves offsets moves those of a secure erase", () => {
  const below = [disk(erasing("(local.get $offset)"))];
  const moved = filter(forward("sb_secure_erase"), { below, manifest: V32 });
  assert.equal(moved.submit(Command.SecureErase, { offset: 4096, length: 512 }), 3);
  const own = filter(
    `(func (export "sb_secure_erase") (param $h i32) (param $req i32) (param $count i64)
      (param $offset i64) (param $flags i32) (result i32)
      (call $next_secure_erase (local.get $h) ${OK} (i64.const 512) (i64.const 8192) ${OK} ${OK}))`,
    { below, manifest: V32, imports: ["next_secure_erase"] },
  );
  assert.equal(own.submit(Command.SecureErase, { offset: 0, length: 512 }), 3);
});

Deno.test("a filter that forwards ioctls sees the number, and the argument if it asks", () => {
  const below = [disk()];
  const seeing = (text: string) =>
    filter(
      `(func (export "sb_ioctl") ${PARAMETERS} ${text}
        (call $next_forward ${req} ${OK} (i64.const 0) (i64.const 0) (i64.const 0) ${OK} ${OK}))`,
      { below, manifest: V32, imports: ["payload"] },
    );
  const careful = seeing(`
    (if (local.get $argument) (then (return (i32.const 1))))
    (if (call $payload ${req} (i64.const 0) (i32.const 64) (i32.const 4))
      (then (return (i32.const 2))))
    (if (i32.eq (i32.load (i32.const 64)) (i32.const 13)) (then (return (i32.const 13))))`);
  assert.deepEqual(control(careful, NEXT, 41), [0, 42]);
  assert.deepEqual(control(careful, NEXT, 13), [13, 13]);
});

Deno.test("a filter may answer ioctls by others, with an argument of its own", () => {
  const twice = (length: number) =>
    filter(
      `(func (export "sb_ioctl") ${PARAMETERS}
        (i32.store (i32.const 64) (i32.mul (i32.load (local.get $argument)) (i32.const 2)))
        (drop (call $next_ioctl (local.get $h) ${OK} (i32.const ${NEXT | 0}) (i32.const 64)
          (i32.const ${length}) ${OK}))
        (i32.store (local.get $argument) (i32.load (i32.const 64))) ${OK})`,
      {
        below: [disk()],
        manifest: { ...V32, calls: { ioctl: "transform" } },
        imports: ["next_ioctl"],
      },
    );
  assert.deepEqual(control(twice(4), NEXT, 20), [0, 41]);
  const wrong = twice(8);
  assert.equal(control(wrong, NEXT, 20)[0], Errno.EIO);
  assert.match(
    wrong.request.errorText,
    /next_ioctl: the argument has 8 bytes; the number .* says 4$/,
  );
});

Deno.test("a filter that asks for what is not below is refused as a program would be", () => {
  const asking = filter(
    `(func (export "sb_ioctl") ${PARAMETERS}
      (call $next_ioctl (local.get $h) ${OK} (local.get $number) (local.get $argument)
        (local.get $length) ${OK}))
    (func (export "sb_secure_erase") (param $h i32) (param $req i32) (param $count i64)
      (param $offset i64) (param $flags i32) (result i32)
      (call $next_forward ${req} ${OK} (local.get $count) (local.get $offset) (i64.const 0) ${OK} ${OK}))`,
    {
      below: [new TestPlugin(diskWat())],
      manifest: { ...V32, calls: { ioctl: "transform", secure_erase: "transform" } },
      imports: ["next_ioctl"],
    },
  );
  assert.deepEqual(control(asking, NEXT, 20), [Errno.ENOTTY, 20]);
  assert.equal(asking.submit(Command.SecureErase, { length: 512 }), Errno.EOPNOTSUPP);
});

Deno.test("what a filter says about these calls has to be so", () => {
  const refuses = (wat: string, manifest: Record<string, unknown>, message: RegExp) => {
    assert.throws(() => preparePlugin(plugin(wat, { kind: "filter", ...manifest })), {
      name: "PluginError",
      message,
    });
  };
  const wat = laterWat(answering());
  const calls = { ioctl: "pass" };
  refuses(wat, { abi: "3.1" }, /exports the function "sb_ioctl" of ABI 3\.2, .* says 3\.1$/);
  refuses(wat, { ...V32, calls }, /exports the function "sb_ioctl", but .* "ioctl" is to "pass"$/);
  refuses(laterWat(""), { abi: "3.1", calls }, /has the unknown key "ioctl"/);
  refuses(laterWat(""), { ...V32, calls: { trim: "pass" } }, /"forward" or "transform"$/);
  refuses(laterWat("", ["next_reopen"]), { ...V32, calls }, /"next_reopen", but .* "pass"$/);
});

Deno.test("a plugin whose calls wait answers ioctls from its thread", () => {
  const wat = laterWat(
    `(func (export "sb_open") (param i32 i32 i32) (result i32) ${OK})
     (func (export "sb_size") (param i32) (result i64) (i64.const 65536))
     (func (export "sb_pread") (param i32 i32 i64 i64 i32) (result i32) (i32.const 5))
     ${answering("(drop (call $sleep (i64.const 1000)))")}`,
    ["sleep"],
  );
  const { client, device } = new TestPool(wat, { manifest: V32, instances: 1 });
  assert.equal(client.ioctl(NEXT, Uint8Array.of(41, 0, 0, 0)).join(), "42,0,0,0");
  assert.equal(client.ioctl(PING, new Uint8Array()).length, 0);
  assert.throws(() => client.ioctl(0xc0042a03, new Uint8Array(4)), { errno: Errno.ENOTTY });
  client.opened.close();
  device.close();
});
