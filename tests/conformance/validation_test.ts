// SPDX-License-Identifier: MIT
// Requests that may not be (proto.md "Command flags"), cookies, and many requests at a time.

import assert from "node:assert/strict";
import { Command } from "../../core/block/request.ts";
import { encodeRequest } from "../../core/nbd/client.ts";
import { CommandFlag, Replies } from "../../core/nbd/wire.ts";
import { assertSameBytes, concatenated, filled, noise } from "../support/bytes.ts";
import { servePlugin } from "../support/plugin_server.ts";
import { TestServer } from "../support/server.ts";

const EINVAL = 22;
const FRAMINGS = Object.entries(Replies);
const { Fua, NoHole, Df, ReqOne, FastZero, PayloadLength } = CommandFlag;
const CMD_RESIZE = 8;

for (const [name, replies] of FRAMINGS) {
  Deno.test(`an unknown command is EINVAL in step, ${name}`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client({ replies });
    for (const command of [CMD_RESIZE, 9, 99, 256, 0x7fff, 0xffff]) {
      assert.equal(await client.perform(command, 0n, 512n), EINVAL, `command ${command}`);
    }
    await client.read(0, 1);
  });

  Deno.test(`an unknown flag is EINVAL in step on every command, ${name}`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    const client = await server.client({ replies, contexts: ["base:allocation"] });
    await using _ = client;
    const status = replies === Replies.Simple ? [] : [Command.BlockStatus];
    const { Read, Flush, Trim, Cache, WriteZeroes } = Command;
    for (const flag of [0x40, 0x100, 0x8000]) {
      for (const command of [Read, Flush, Trim, Cache, WriteZeroes, ...status]) {
        assert.equal(await client.perform(command, 0n, 512n, flag), EINVAL, `${command}`);
      }
      assert.equal(await client.write(0, noise(4096), flag), EINVAL);
      assert.equal(await client.write(0, noise(300_000), flag), EINVAL);
    }
    assertSameBytes(await client.read(0, 4096), new Uint8Array(4096));
  });

  Deno.test(`a flag on the wrong command is EINVAL in step, ${name}`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client({ replies });
    const wrong: [number, number[]][] = [
      [Command.Read, [NoHole, ReqOne, FastZero]],
      [Command.Flush, [NoHole, Df, ReqOne, FastZero]],
      [Command.Trim, [NoHole, Df, ReqOne, FastZero]],
      [Command.Cache, [NoHole, Df, ReqOne, FastZero]],
      [Command.WriteZeroes, [Df, ReqOne]],
    ];
    for (const [command, flags] of wrong) {
      for (const flag of flags) {
        assert.equal(await client.perform(command, 0n, 512n, flag), EINVAL, `${command}/${flag}`);
      }
    }
    for (const flag of [NoHole, Df, ReqOne, FastZero]) {
      assert.equal(await client.write(0, noise(512), flag), EINVAL, `write/${flag}`);
    }
    assertSameBytes(await client.read(0, 512), new Uint8Array(512));
  });

  Deno.test(`cookies come back as they are, whatever their bits, ${name}`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client({ replies });
    const cookies = [0n, 1n, 0xffffffffn, 1n << 32n, 1n << 63n, 0xffffffffffffffffn];
    for (const cookie of cookies) {
      for (const command of [Command.Read, Command.Flush, 99]) {
        assert.ok((await client.request({ command, cookie, length: 0n })).done);
      }
    }
  });

  Deno.test(`a thousand requests in one piece are all answered, ${name}`, async () => {
    await using server = await TestServer.start(["memory", "16M"]);
    await using client = await server.client({ replies });
    const contents = Array.from({ length: 500 }, (_, i) => noise(4096, i));
    const writes = contents.map((payload, i) => ({
      command: Command.Write,
      offset: BigInt(i * 8192),
      payload,
    }));
    for (const { errno } of await client.requestAll(writes)) assert.equal(errno, 0);
    const reads = writes.map(({ offset }) => ({ command: Command.Read, offset, length: 8192n }));
    for (const [i, answer] of (await client.requestAll(reads)).entries()) {
      assertSameBytes(answer.data(), concatenated(contents[i]!, new Uint8Array(4096)));
    }
  });
}

Deno.test("PAYLOAD_LEN without extended headers is EINVAL", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  for (const replies of [Replies.Simple, Replies.Structured]) {
    await using client = await server.client({ replies });
    assert.equal(await client.perform(Command.Read, 0n, 512n, PayloadLength), EINVAL);
    assert.equal(await client.write(0, noise(512), PayloadLength), EINVAL);
    await client.read(0, 1);
  }
});

Deno.test("one cookie for several requests at a time is the client's business", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.client({ replies: Replies.Simple });
  const flush = encodeRequest({ command: Command.Flush, cookie: 7n }, Replies.Simple);
  await client.send(concatenated(flush, flush, flush));
  for (let i = 0; i < 3; i++) {
    assert.equal((await client.take(16)).toHex(), "67446698" + "00000000" + "0000000000000007");
  }
});

Deno.test("a request that arrives byte by byte is carried out", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.client({ replies: Replies.Simple });
  const payload = filled(20, 0x42);
  const bytes = encodeRequest({ command: Command.Write, payload, cookie: 9n }, Replies.Simple);
  for (const byte of bytes) await client.send(Uint8Array.of(byte));
  assert.equal((await client.take(16)).toHex(), "67446698" + "00000000" + "0000000000000009");
  assertSameBytes(await client.read(0, 20), payload);
});

Deno.test("commands that an export does not offer are EINVAL in step", async () => {
  // It can read and write and nothing else; what the host adds by itself is refused in sb_info.
  await using server = await servePlugin({
    body: `
      (func (export "sb_pwrite") (param i32 i32 i32 i64 i64 i32) (result i32) i32.const 0)
      (func (export "sb_info") (param $h i32) (param $out i32) (result i32)
        (memory.fill (i32.add (local.get $out) (i32.const 20)) (i32.const 0) (i32.const 32))
        i32.const 0)`,
  });
  await using client = await server.client({ replies: Replies.Structured });
  const { Flush, Trim, Cache, WriteZeroes } = Command;
  for (const command of [Flush, Trim, Cache, WriteZeroes]) {
    assert.equal(await client.perform(command, 0n, 512n), EINVAL, `command ${command}`);
  }
  assert.equal(await client.write(0, noise(512), Fua), EINVAL);
  assert.equal(await client.write(0, noise(512)), 0);
  assert.equal(await client.perform(Command.Read, 0n, 512n, Fua), EINVAL);
});

Deno.test("FAST_ZERO where it is not offered is EINVAL and changes nothing", async () => {
  await using server = await servePlugin({
    body: `
      (global $zeroed (mut i32) (i32.const 0))
      (func (export "sb_pwrite") (param i32 i32 i32 i64 i64 i32) (result i32)
        (global.set $zeroed (i32.const 1))
        i32.const 0)
      (func (export "sb_info") (param $h i32) (param $out i32) (result i32)
        (i32.store offset=36 (local.get $out) (i32.const 0))
        i32.const 0)
      (func (export "sb_flush") (param i32 i32 i32) (result i32) (global.get $zeroed))`,
  });
  await using client = await server.client();
  assert.equal(await client.perform(Command.WriteZeroes, 0n, 512n, FastZero), EINVAL);
  assert.equal(await client.perform(Command.Flush), 0);
  assert.equal(await client.perform(Command.WriteZeroes, 0n, 512n), 0);
});
