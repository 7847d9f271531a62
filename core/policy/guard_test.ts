// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { Errno } from "../block/errno.ts";
import { Command, Request } from "../block/request.ts";
import wabtInit from "wabt";
import { writeSection } from "./testing_module.ts";
import { connectionFacts } from "./connection.ts";
import { Guard, KILL, PolicyInstance } from "./guard.ts";
import { loadPolicy } from "./loaded.ts";

const wabt = await wabtInit();
const CLIENT = "unix:pid=7,uid=1000,gid=100";

function setUp(source: string | Uint8Array, now = () => 0) {
  const bytes = typeof source === "string" ? new TextEncoder().encode(source) : source;
  const logged: string[] = [];
  const log = (level: string, text: string) => void logged.push(`${level} ${text}`);
  const instance = new PolicyInstance(loadPolicy(bytes, "test").policy, log, now);
  const guard = (peer = CLIENT, name = "disk") =>
    new Guard(instance, connectionFacts(peer, name), peer);
  return { guard, instance, logged };
}

function request(command: number, offset = 0, length = 0): Request {
  const made = new Request();
  made.command = command;
  made.offsetHigh = Math.floor(offset / 2 ** 32);
  made.offsetLow = offset % 2 ** 32;
  made.lengthLow = length;
  return made;
}

Deno.test("a guard answers 0, an errno or KILL and says why", () => {
  const { guard, logged } = setUp(
    "default errno EPERM\nallow read\nkill trim\nerrno EROFS write if offset >= 4G\n",
  );
  const asked = guard();
  assert.equal(asked.check(request(Command.Read, 5, 6)), 0);
  const write = request(Command.Write, 2 ** 33, 512);
  assert.equal(asked.check(write), Errno.EROFS);
  assert.equal(write.errorText, "WRITE is refused by the rule in line 4");
  const low = request(Command.Write, 2 ** 32 - 512, 512);
  assert.equal(asked.check(low), Errno.EPERM);
  assert.equal(low.errorText, "WRITE is refused by the default (line 1)");
  assert.equal(asked.check(request(Command.Trim, 0, 512)), KILL);
  assert.deepEqual(logged, [
    `warning policy: ${CLIENT}: closed by the rule in line 3: TRIM of 512 bytes at 0`,
  ]);
});

Deno.test("clients of one policy are told apart", () => {
  const { guard } = setUp('default errno EPERM\nallow if peer.uid == 1000 and export == "disk"\n');
  const read = request(Command.Read, 0, 1);
  assert.equal(guard().check(read), 0);
  assert.equal(guard(CLIENT, "other").check(read), Errno.EPERM);
  assert.equal(guard("unix:pid=7,uid=0,gid=0").check(read), Errno.EPERM);
  assert.equal(guard("tcp:10.0.0.1:5").check(read), Errno.EPERM);
});

Deno.test("the sixty-fourth condition about clients has a bit as the first has", () => {
  const rules = Array.from(
    { length: 64 },
    (_, i) => `errno EIO if peer.uid == ${i} and length == 9`,
  );
  const { guard } = setUp(["default allow", ...rules].join("\n"));
  for (const uid of [0, 31, 32, 63]) {
    assert.equal(
      guard(`unix:pid=1,uid=${uid},gid=1`).check(request(Command.Read, 0, 9)),
      Errno.EIO,
    );
  }
  assert.equal(guard("unix:pid=1,uid=64,gid=1").check(request(Command.Read, 0, 9)), 0);
});

Deno.test("offset and length of a flush decide nothing", () => {
  const { guard } = setUp("default allow\nkill if offset > 0 or length > 0\n");
  assert.equal(guard().check(request(Command.Flush, 7, 7)), 0);
});

Deno.test("time moves on, also backwards", () => {
  let now = Date.UTC(2024, 0, 1, 21, 59, 59, 900);
  const { guard, instance } = setUp(
    "default errno EPERM\ntimezone utc\nallow if time in 22:00..23:00 and weekday == mon\n",
    () => now,
  );
  const asked = guard();
  const read = request(Command.Read, 0, 1);
  instance.tick();
  assert.equal(asked.check(read), Errno.EPERM);
  now += 100;
  instance.tick();
  assert.equal(asked.check(read), 0);
  now += 3600_000;
  instance.tick();
  assert.equal(asked.check(read), Errno.EPERM);
  now -= 60_000;
  instance.tick();
  assert.equal(asked.check(read), 0);
  now += 24 * 3600_000;
  instance.tick();
  assert.equal(asked.check(read), Errno.EPERM);
});

Deno.test("each rule that logs writes a line, and too many lines are left out", () => {
  const { guard, logged } = setUp("default allow\nlog write\nlog if length > 1K\n");
  const asked = guard();
  asked.check(request(Command.Write, 4096, 2048));
  assert.deepEqual(logged, [
    `info policy: ${CLIENT}: the rule in line 2: WRITE of 2048 bytes at 4096: allowed`,
    `info policy: ${CLIENT}: the rule in line 3: WRITE of 2048 bytes at 4096: allowed`,
  ]);
  for (let i = 0; i < 1000; i++) asked.check(request(Command.Write, 0, 1));
  assert.ok(logged.length < 50, `${logged.length}`);
});

const MODULE = `(module (func (export "sb_check")
  (param $cmd i32) (param $flags i32) (param i32 i32 i32 i32) (param $xh i32) (param $xl i32)
  (result i32) (if (result i32) (local.get $xl) (then (i32.const 0x101)) (else (i32.const 200)))))`;

Deno.test("a module written by hand is a policy", () => {
  const manifest = {
    abi: "3.0",
    name: "mine",
    version: "1",
    kind: "policy",
    conditions: ["peer.uid == 1000"],
    reasons: ["nothing", "the house rule"],
  };
  const { buffer } = wabt.parseWat("mine.wat", MODULE).toBinary({});
  const { guard, logged } = setUp(writeSection(buffer, manifest));
  const read = request(Command.Read, 0, 1);
  // It knows nothing of what came with 3.2, so it is not asked.
  assert.equal(guard("fd:3").check(request(Command.Ioctl)), Errno.EPERM);
  assert.equal(guard("fd:3").check(request(Command.SecureErase, 0, 512)), Errno.EPERM);
  assert.equal(guard().check(read), Errno.EPERM);
  assert.equal(read.errorText, "READ is refused by the house rule");
  assert.equal(guard("fd:3").check(read), Errno.EIO);
  assert.deepEqual(logged, ["error policy: test: verdict 0xc8"]);
  for (
    const [wrong, why] of [
      [{ conditions: ["offset < 1"] }, /not about the client/],
      [{ conditions: ["peer.uid = 1"] }, /condition 0 of its manifest is wrong at column 10/],
      [{ kind: "plugin" }, /wrong "kind"/],
      [{ abi: "4.0" }, /needs ABI 4.0/],
      [{ color: 1 }, /unknown key "color"/],
    ] as const
  ) {
    assert.throws(
      () => loadPolicy(writeSection(buffer, { ...manifest, ...wrong }), "mine"),
      { name: "PluginError", message: why },
    );
  }
});
