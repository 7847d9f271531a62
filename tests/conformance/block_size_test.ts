// SPDX-License-Identifier: MIT
// Size constraints (proto.md "Size constraints") of an export that has some.

import assert from "node:assert/strict";
import { Command } from "../../core/block/request.ts";
import { encodeInfoData, encodeOption } from "../../core/nbd/client.ts";
import { Info, Option, Replies, Reply } from "../../core/nbd/wire.ts";
import { filled } from "../support/bytes.ts";
import { servePlugin } from "../support/plugin_server.ts";
import { rangeCall } from "../support/wat_plugin.ts";

const EINVAL = 22;
const EOVERFLOW = 75;
const MINIMUM = 4096;
const PREFERRED = 65536;
const MAXIMUM = 1024 * 1024;
const SIZE = 64 * 1024 * 1024;

const EXTENT = `(call $extent (local.get $request) (i64.const 1000) (i32.const 0))
  (call $extent (local.get $request) (i64.const 7192) (i32.const 3))
  (call $extent (local.get $request) (i64.const 0x100000) (i32.const 0)) (i32.const 0)`;

const PLUGIN = {
  body: `
    (func (export "sb_size") (param i32) (result i64) i64.const ${SIZE})
    (func (export "sb_pwrite") (param i32 i32 i32 i64 i64 i32) (result i32) i32.const 0)
    ${rangeCall("sb_trim", "(i32.const 0)")} ${rangeCall("sb_zero", "(i32.const 0)")}
    ${rangeCall("sb_extents", EXTENT)}
    (func (export "sb_info") (param $h i32) (param $out i32) (result i32)
      (i32.store offset=4 (local.get $out) (i32.const ${MINIMUM}))
      (i32.store offset=8 (local.get $out) (i32.const ${PREFERRED}))
      (i32.store offset=12 (local.get $out) (i32.const ${MAXIMUM}))
      i32.const 0)`,
};

Deno.test("GO and INFO without BLOCK_SIZE are answered BLOCK_SIZE_REQD after the sizes", async () => {
  await using server = await servePlugin(PLUGIN);
  await using client = await server.connect();
  await client.greet();
  for (const option of [Option.Go, Option.Info]) {
    const replies = await client.option(option, encodeInfoData(""));
    assert.equal(replies.at(-1)!.type, Reply.BlockSizeRequired);
    const kinds = replies.slice(0, -1).map(({ data }) => data[1]);
    assert.ok(kinds.includes(Info.BlockSize));
  }
  const replies = await client.option(Option.Go, encodeInfoData("", [Info.BlockSize]));
  assert.equal(replies.at(-1)!.type, Reply.Ack);
  await client.read(0, MINIMUM);
});

Deno.test("EXPORT_NAME, which cannot tell the sizes, ends the connection", async () => {
  await using server = await servePlugin(PLUGIN);
  await using client = await server.connect();
  await client.greet();
  await client.send(encodeOption(Option.ExportName));
  await client.closed();
});

Deno.test("the sizes of the plugin are told as they are", async () => {
  await using server = await servePlugin(PLUGIN);
  await using client = await server.client();
  assert.deepEqual(client.agreement!.blockSize, {
    minimum: MINIMUM,
    preferred: PREFERRED,
    maximum: MAXIMUM,
  });
});

for (const [name, replies] of Object.entries(Replies)) {
  Deno.test(`requests that are not aligned are EINVAL in step, ${name}`, async () => {
    await using server = await servePlugin(PLUGIN);
    await using client = await server.client({ replies });
    for (const [offset, length] of [[512n, 4096n], [0n, 512n], [4095n, 4097n]] as const) {
      for (const command of [Command.Read, Command.Trim, Command.WriteZeroes]) {
        assert.equal(await client.perform(command, offset, length), EINVAL);
      }
      assert.equal(await client.write(offset, filled(Number(length), 1)), EINVAL);
    }
    assert.equal(await client.write(4096, filled(8192, 1)), 0);
    await client.read(4096, 8192);
  });

  Deno.test(`payloads beyond the maximum are refused in step, effects are not, ${name}`, async () => {
    await using server = await servePlugin(PLUGIN);
    await using client = await server.client({ replies });
    await client.read(0, MAXIMUM);
    assert.equal(await client.write(0, filled(MAXIMUM, 1)), 0);
    const more = BigInt(MAXIMUM + MINIMUM);
    assert.equal(await client.perform(Command.Read, 0n, more), EOVERFLOW);
    assert.equal(await client.write(0, filled(Number(more), 1)), EINVAL);
    assert.equal(await client.write(0, filled(32 * 1024 * 1024, 1)), EINVAL);
    for (const command of [Command.Trim, Command.WriteZeroes]) {
      assert.equal(await client.perform(command, 0n, BigInt(SIZE)), 0);
    }
  });
}

Deno.test("extents are multiples of the minimum, true for all of each block", async () => {
  await using server = await servePlugin(PLUGIN);
  for (const replies of [Replies.Structured, Replies.Extended]) {
    await using client = await server.client({ replies, contexts: ["base:allocation"] });
    const answer = await client.request({ command: Command.BlockStatus, length: 65536n });
    const found = [...answer.extents.values()][0]!;
    // The first block is data in part: no promise may be made about it.
    assert.deepEqual(found.map(({ length, flags }) => [length, flags]), [
      [4096n, 0n],
      [4096n, 3n],
      [57344n, 0n],
    ]);
  }
});
