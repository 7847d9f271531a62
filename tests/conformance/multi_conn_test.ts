// SPDX-License-Identifier: MIT
// Several connections to one export, and FLUSH and FUA (proto.md "Ordering of messages and writes",
// "NBD_FLAG_CAN_MULTI_CONN").

import assert from "node:assert/strict";
import { Command } from "../../core/block/request.ts";
import { CommandFlag, TransmissionFlag } from "../../core/nbd/wire.ts";
import { assertSameBytes, filled, noise } from "../support/bytes.ts";
import { TestDirectory } from "../support/directory.ts";
import { servePlugin } from "../support/plugin_server.ts";
import { TestServer } from "../support/server.ts";
import { rangeCall } from "../support/wat_plugin.ts";

const { Fua } = CommandFlag;
const SIZE = 1024 * 1024;

/** Reads back as the number of flushes so far, one byte over and over. */
const COUNTING_PLUGIN = {
  body: `
    (func (export "sb_flush") (param i32 i32 i32) (result i32)
      (i32.store8 (i32.const 0) (i32.add (i32.const 1) (i32.load8_u (i32.const 0))))
      i32.const 0)
    (func (export "sb_pwrite") (param i32 i32 i32 i64 i64 i32) (result i32) i32.const 0)
    ${rangeCall("sb_trim", "(i32.const 0)")} ${rangeCall("sb_zero", "(i32.const 0)")}
    ${
    rangeCall(
      "sb_pread",
      `(call $reply_data (local.get $request) (i64.const 0) (i32.const 0) (i64.const 1)
         (i32.const 0)) (i32.const 0)`,
    )
  }`,
};

for (const threads of [1, 2]) {
  Deno.test(`what one connection was told is written all others read, ${threads} threads`, async () => {
    using directory = new TestDirectory();
    const path = directory.sparse("disk", SIZE);
    for (const device of [["memory", "1M"], ["file", path]]) {
      await using server = await TestServer.start(["-t", `${threads}`, ...device]);
      await using writer = await server.client();
      await using flusher = await server.client();
      await using reader = await server.client();
      for (let round = 0; round < 20; round++) {
        const data = noise(70_000, round);
        assert.equal(await writer.write(round * 1000, data), 0);
        assertSameBytes(await reader.read(round * 1000, data.length), data);
        assert.equal(await flusher.perform(Command.Flush), 0);
        assertSameBytes(await flusher.read(round * 1000, data.length), data);
      }
    }
  });
}

Deno.test("CAN_MULTI_CONN is told where a flush covers all connections, and only there", async () => {
  using directory = new TestDirectory();
  const path = directory.sparse("disk", SIZE);
  for (const args of [["memory", "1M"], ["-t", "2", "file", path], ["file", path]]) {
    await using server = await TestServer.start(args);
    await using client = await server.client();
    assert.ok(client.agreement!.flags & TransmissionFlag.CanMultiConn, args.join(" "));
  }
  await using server = await servePlugin({
    body: `${COUNTING_PLUGIN.body}
      (func (export "sb_info") (param $h i32) (param $out i32) (result i32)
        (i32.store offset=48 (local.get $out) (i32.const 0))
        i32.const 0)`,
  });
  await using client = await server.client();
  assert.equal(client.agreement!.flags & TransmissionFlag.CanMultiConn, 0);
});

Deno.test("FUA makes the host flush a plugin that cannot do it itself, on every command", async () => {
  await using server = await servePlugin(COUNTING_PLUGIN);
  await using client = await server.client();
  assert.ok(client.agreement!.flags & TransmissionFlag.SendFua);
  const flushes = async () => (await client.read(0, 1))[0];
  assert.equal(await flushes(), 0);
  assert.equal(await client.write(0, filled(512, 1)), 0);
  assert.equal(await flushes(), 0);
  assert.equal(await client.write(0, filled(512, 1), Fua), 0);
  assert.equal(await flushes(), 1);
  assert.equal(await client.perform(Command.Trim, 0n, 512n, Fua), 0);
  assert.equal(await flushes(), 2);
  assert.equal(await client.perform(Command.WriteZeroes, 0n, 512n, Fua), 0);
  assert.equal(await flushes(), 3);
  assert.equal(await client.perform(Command.Flush), 0);
  assert.equal(await flushes(), 4);
});

Deno.test("four connections writing at once do not mix up their data", async () => {
  await using server = await TestServer.start(["memory", "16M"]);
  const write = async (index: number) => {
    await using client = await server.client();
    const requests = Array.from({ length: 64 }, (_, i) => ({
      command: Command.Write,
      offset: BigInt((i * 4 + index) * 65536),
      payload: filled(65536, 1 + index),
    }));
    for (const { errno } of await client.requestAll(requests)) assert.equal(errno, 0);
  };
  await Promise.all([0, 1, 2, 3].map(write));
  await using client = await server.client();
  const data = await client.read(0, 16 * SIZE);
  for (let at = 0; at < data.length; at += 65536) {
    const expected = 1 + (at / 65536) % 4;
    assert.ok(data.subarray(at, at + 65536).every((byte) => byte === expected), `at ${at}`);
  }
});
