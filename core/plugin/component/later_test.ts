// SPDX-License-Identifier: MIT
// Secure erase and ioctls of components, and what a component may say that it implements (ABI 3.2).

import assert from "node:assert/strict";
import { Errno } from "../../block/errno.ts";
import { TestClient } from "../../backend/testing.ts";
import { fails, TestPlugin } from "../test_device.ts";
import { CALLS, component, componentWat, failureWat, IMPLEMENTED } from "./test_component.ts";

/** _IOWR('*', 1, u32), another one of that kind, and one without argument. */
const NEXT = 0xc0042a01;
const OTHER = 0xc0042a02;
const PING = 0x00002a03;
const U32 = [41, 2, 3, 4] as const;

const DROP = "(call $drop (local.get $request))";
const DONE = `${DROP} (global.get $ok)`;
const implementing = (calls: number) => `(i32.const ${IMPLEMENTED | calls})`;

/** Answers with the first two bytes of the argument plus one. */
const PLUS_ONE = `
  (i32.store16 (i32.const 600) (i32.add (i32.load16_u (local.get $argument)) (i32.const 1)))
  (call $data (local.get $request) (i64.const 0) (i32.const 600) (i32.const 2))`;

const BOTH: Record<string, string> = {
  implemented: implementing(CALLS.secureErase | CALLS.ioctl),
  secureErase: `(memory.fill (i32.add (global.get $disk) (i32.wrap_i64 (local.get $offset)))
    (i32.const 0) (i32.wrap_i64 (local.get $count))) ${DONE}`,
  ioctl: `(if (i32.ne (local.get $number) (i32.const ${NEXT | 0}))
      (then ${DROP} ${failureWat(Errno.ENOTTY)} (return)))
    ${PLUS_ONE} ${DONE}`,
};

function run(replaced: Record<string, string>, manifest: Record<string, unknown> = {}): TestPlugin {
  return new TestPlugin(component(componentWat({ ...BOTH, ...replaced }), manifest));
}

function above(
  below: TestPlugin,
  replaced: Record<string, string>,
  manifest: Record<string, unknown> = {},
): TestPlugin {
  const implemented = replaced.implemented ??
    `(i32.const ${CALLS.secureErase | CALLS.ioctl})`;
  const wat = componentWat({ ...replaced, implemented });
  const bytes = component(wat, { kind: "filter", ...manifest });
  return new TestPlugin(bytes, { children: [below.device] });
}

function clientOf(plugin: TestPlugin): TestClient {
  return new TestClient(plugin.device, plugin.opened);
}

Deno.test("a component erases for good, and answers ioctls", () => {
  const plugin = run({});
  const disk = clientOf(plugin);
  const { secureErase, ioctl } = disk.opened.info.can;
  assert.deepEqual([secureErase, ioctl], [2, 2]);
  disk.write(4096, Uint8Array.of(1, 2, 3, 4));
  disk.secureErase(4097, 2);
  assert.deepEqual([...disk.read(4096, 4)], [1, 0, 0, 4]);
  assert.deepEqual([...disk.ioctl(NEXT, Uint8Array.from(U32))], [42, 2, 3, 4]);
  assert.throws(() => disk.ioctl(OTHER, new Uint8Array(4)), { errno: Errno.ENOTTY });
  assert.throws(() => disk.ioctl(PING, new Uint8Array()), { errno: Errno.ENOTTY });
  assert.deepEqual(plugin.lines, []);
});

Deno.test("what a component does not implement of 3.2 is not there", () => {
  const disk = clientOf(run({ implemented: implementing(0) }));
  assert.throws(() => disk.ioctl(NEXT, new Uint8Array(4)), { errno: Errno.ENOTTY });
  assert.throws(() => disk.secureErase(0, 1), { errno: Errno.EOPNOTSUPP });
});

Deno.test("a component that says in info that an export cannot do it is believed", () => {
  // The parameters begin with the disk; the last two are secure-erase and ioctl, and go back as they came.
  const stores = Array.from({ length: 15 }, (_, at) => {
    const store = at < 3
      ? `(i32.store (i32.const ${1204 + 4 * at})`
      : `(i32.store8 (i32.const ${1213 + at})`;
    const value = at === 13 ? "(i32.const 0)" : `(local.get ${at + 1})`;
    return `${store} ${value})`;
  });
  const plugin = run({
    implemented: implementing(CALLS.secureErase | CALLS.ioctl | CALLS.info),
    info: `(i32.store8 (i32.const 1200) (i32.const 0)) ${stores.join("")} (i32.const 1200)`,
  });
  const { secureErase, ioctl, write, multiConn } = plugin.opened.info.can;
  assert.deepEqual([secureErase, ioctl, write, multiConn], [0, 2, 2, 2]);
});

Deno.test("an answer to an ioctl is not larger than its argument", () => {
  for (
    const [at, length, message] of [
      [2, 3, /data: 3 bytes at 2 reach beyond the argument of 4/],
      [0x100000000, 1, /data: 1 bytes at 4294967296 reach beyond the argument of 4/],
    ] as const
  ) {
    const plugin = run({
      ioctl:
        `(call $data (local.get $request) (i64.const ${at}) (i32.const 600) (i32.const ${length}))
        ${DONE}`,
    });
    const disk = clientOf(plugin);
    assert.throws(() => disk.ioctl(NEXT, Uint8Array.from(U32)), { errno: Errno.EIO });
    assert.match(plugin.lines.join(), message);
  }
  const zeroes = run({
    ioctl: `(call $zero (local.get $request) (i64.const 0) (i64.const 4) (i32.const 0)) ${DONE}`,
  });
  assert.throws(() => clientOf(zeroes).ioctl(NEXT, new Uint8Array(4)), { errno: Errno.EIO });
});

Deno.test("an answer to an ioctl does not begin before its argument, whatever type a component has for that", () => {
  const wat = componentWat({
    ...BOTH,
    ioctl: `(call $data (local.get $request) (i64.const -8) (i32.const 600) (i32.const 1)) ${DONE}`,
  });
  const plugin = new TestPlugin(component(wat, {}, (wit) => {
    return wit.replace("data: func(at: u64, bytes", "data: func(at: s64, bytes");
  }));
  const disk = clientOf(plugin);
  assert.throws(() => disk.ioctl(NEXT, Uint8Array.from(U32)), { errno: Errno.EIO });
  assert.match(plugin.lines.join(), /data: 1 bytes at 18446744073709551608 reach beyond/);
});

Deno.test("a component cannot take the end of a timer for that of a request below", () => {
  const wat = componentWat({
    flush: `(call $timer (i64.const 0) (i32.const -2) (i32.const 2048)) ${DONE}`,
  });
  const plugin = new TestPlugin(component(wat, {}, (wit) => {
    return wit.replace(
      "timer: func(nanoseconds: u64, token: u32)",
      "timer: func(nanoseconds: u64, token: s32)",
    );
  }));
  assert.throws(() => clientOf(plugin).flush(), { errno: Errno.EIO });
  assert.match(plugin.lines.join(), /it used the token -2; tokens have 31 bits/);
});

const LATER = `(global.set $kept (call $later (local.get $request))) ${DROP}
  (call $timer (i64.const 0) (i32.const 5) (i32.const 2048)) (global.get $ok)`;
const FINISH = `(call $finish (global.get $kept) ${"(i32.const 0) ".repeat(4)})`;
const ANSWER = `(i32.store (i32.const 600) (i32.const 43))
  (call $data (global.get $kept) (i64.const 1) (i32.const 600) (i32.const 1))`;

Deno.test("a component may finish an ioctl later, and cannot answer it after that", () => {
  const plugin = run({
    ioctl: LATER,
    done: `${ANSWER} ${FINISH} (call $drop (global.get $kept))`,
  });
  assert.deepEqual([...clientOf(plugin).ioctl(NEXT, Uint8Array.from(U32))], [41, 43, 3, 4]);
  assert.deepEqual(plugin.lines, []);
  const late = run({
    ioctl: LATER,
    done: `${FINISH} ${ANSWER} (call $drop (global.get $kept))`,
  });
  assert.deepEqual([...clientOf(late).ioctl(NEXT, Uint8Array.from(U32))], [...U32]);
  assert.match(late.lines.join(), /breaks the ABI in sb_done: data: there is no request/);
});

/** Passes an ioctl on and answers with what that brings, at once or later. */
const ASK_BELOW = `
  (call $child_ioctl (global.get $context) (i32.const 0) (local.get $number) (local.get $argument)
    (local.get $length) (i32.const 9) (i32.const 1200))
  (if (i32.load8_u (i32.const 1200)) (then ${DROP} (return (i32.const 1200))))
  (if (i32.load8_u (i32.const 1204)) (then
    (call $data (local.get $request) (i64.const 0) (i32.load (i32.const 1208))
      (i32.load (i32.const 1212))))
  (else (global.set $kept (call $later (local.get $request)))))
  ${DONE}`;
const ANSWERED_BELOW = `(call $data (global.get $kept) (i64.const 0) (local.get $a) (local.get $b))
  ${FINISH} (call $drop (global.get $kept))`;
const ERASE_BELOW = `
  (call $child_secure_erase (global.get $context) (i32.const 0) (local.get $count)
    (i64.add (local.get $offset) (i64.const 1024)) (i32.const 9) (i32.const 1200))
  (if (i32.load8_u (i32.const 1200)) (then ${DROP} (return (i32.const 1200)))) ${DONE}`;

Deno.test("a filter asks what is below it for a secure erase and for ioctls", () => {
  const calls = { ioctl: "transform", secure_erase: "transform" };
  const functions = { ioctl: ASK_BELOW, secureErase: ERASE_BELOW, done: ANSWERED_BELOW };
  const late = run({
    ioctl: LATER,
    done: `${ANSWER} ${FINISH} (call $drop (global.get $kept))`,
  });
  const filter = above(late, functions, { calls });
  assert.deepEqual([...clientOf(filter).ioctl(NEXT, Uint8Array.from(U32))], [41, 43, 3, 4]);
  const plain = run({});
  const disk = clientOf(above(plain, functions, { calls }));
  assert.deepEqual([...disk.ioctl(NEXT, Uint8Array.from(U32))], [42, 2, 3, 4]);
  assert.throws(() => disk.ioctl(OTHER, new Uint8Array(4)), { errno: Errno.ENOTTY });
  plain.write(1024, Uint8Array.of(1, 2, 3));
  disk.secureErase(1, 1);
  assert.deepEqual([...plain.read(1024, 3)], [1, 0, 3]);
});

Deno.test("the argument of an ioctl is bytes, not something that only has a length", () => {
  const given = componentWat({
    implemented: `(i32.const ${CALLS.ioctl})`,
    ioctl: `(call $child_ioctl (global.get $context) (i32.const 0) (local.get $number)
      (f64.const ${4 - 2 ** 32}) (i32.const 9) (i32.const 1200)) ${DONE}`,
  });
  const wat = given.replace(
    `(func $child_ioctl (param i32 i32 i32 i32 i32 i32 i32))`,
    `(func $child_ioctl (param i32 i32 i32 f64 i32 i32))`,
  );
  const bytes = component(wat, { kind: "filter", calls: { ioctl: "transform" } }, (wit) => {
    return wit.replace("  resource context {", "  record long { length: f64 }\n$&")
      .replace("number: s32, argument: list<u8>, token", "number: s32, argument: long, token");
  });
  const filter = new TestPlugin(bytes, { children: [run({}).device] });
  assert.throws(() => clientOf(filter).ioctl(NEXT, Uint8Array.from(U32)), { errno: Errno.EIO });
  assert.match(filter.lines.join(), /there is no memory of -4294967292 bytes/);
});

const PASS_ON = `(call $forward (local.get $request) (i32.const 0) (i64.const 0) (i64.const 0)
  (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 1300))`;

Deno.test("a filter that passes ioctls on gets the argument if it asks for it", () => {
  const looking = `
    (if (local.get $length) (then (unreachable)))
    (call $payload (local.get $request) (i64.const 0) (i64.const 4) (i32.const 1200))
    (if (i32.eq (i32.load8_u (i32.load (i32.const 1204))) (i32.const 13))
      (then ${DROP} ${failureWat(Errno.EACCES)} (return)))
    ${PASS_ON} ${DONE}`;
  const erase = `(call $forward (local.get $request) (i32.const 0) (i64.const 0) (local.get $count)
    (local.get $offset) (i32.const 0) (i32.const 0) (i32.const 1300)) ${DONE}`;
  const below = run({});
  const disk = clientOf(above(below, { ioctl: looking, secureErase: erase }));
  assert.deepEqual([...disk.ioctl(NEXT, Uint8Array.from(U32))], [42, 2, 3, 4]);
  assert.throws(() => disk.ioctl(NEXT, Uint8Array.of(13, 0, 0, 0)), { errno: Errno.EACCES });
  below.write(0, Uint8Array.of(1, 2, 3));
  disk.secureErase(1, 1);
  assert.deepEqual([...below.read(0, 3)], [1, 0, 3]);
  const answering = above(run({}), {
    ioctl: `(call $data (local.get $request) (i64.const 0) (i32.const 600) (i32.const 4)) ${DONE}`,
    secureErase: erase,
  });
  assert.throws(() => clientOf(answering).ioctl(NEXT, new Uint8Array(4)), { errno: Errno.EIO });
  assert.match(answering.lines.join(), /4 bytes at 0 reach beyond the argument of 0/);
});

Deno.test("what lets ioctls pass cannot open again what is below", () => {
  const reopen = `(call $reopen (global.get $context) (i32.const 0) (i32.const 1200))
    ${DROP} (i32.const 1200)`;
  const all = CALLS.trim | CALLS.cache;
  const filter = above(run({}), { implemented: implementing(all), flush: reopen }, {
    calls: { ioctl: "pass", pwrite: "transform" },
  });
  const disk = clientOf(filter);
  assert.deepEqual([...disk.ioctl(NEXT, Uint8Array.from(U32))], [42, 2, 3, 4]);
  assert.throws(() => disk.flush(), {
    errno: Errno.EINVAL,
    text: 'it cannot open again: its manifest says that "ioctl" is to "pass"',
  });
});

for (
  const [calls, manifest, message] of [
    [CALLS.ioctl, { abi: "3.1" }, /has "ioctl" of ABI 3\.2, but its manifest says 3\.1$/],
    [CALLS.zoneReport, {}, /leaves out "zones", but has "zone-report"$/],
    [CALLS.zones | CALLS.zoneReport | CALLS.zoneAppend, {}, /leaves out "zone-reset"/],
    [
      CALLS.zones | CALLS.zoneReport | CALLS.zoneAppend | CALLS.zoneReset,
      { kind: "filter" },
      /has "zones", which a filter may not$/,
    ],
    [
      CALLS.secureErase,
      { kind: "filter", calls: { secure_erase: "pass" } },
      /has "secure-erase", but its manifest says that "secure_erase" is to "pass"$/,
    ],
  ] as [number, Record<string, unknown>, RegExp][]
) {
  Deno.test(`what a component implements has to fit: ${message.source}`, () => {
    const implemented = implementing(calls);
    const start = () =>
      manifest.kind === "filter"
        ? above(run({}), { implemented }, manifest)
        : run({ implemented }, manifest);
    fails(start, Errno.EINVAL, message);
  });
}
