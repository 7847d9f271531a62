// SPDX-License-Identifier: MIT
// READ (proto.md "NBD_CMD_READ" and "Structured reply types"): ranges, holes, DF, sizes.

import assert from "node:assert/strict";
import { Command } from "../../core/block/request.ts";
import { CommandFlag, Replies, ReplyType } from "../../core/nbd/wire.ts";
import { assertSameBytes, concatenated, noise } from "../support/bytes.ts";
import { TestServer } from "../support/server.ts";
import type { ServerReply, WireClient } from "../support/wire_client.ts";

const EINVAL = 22;
const EOVERFLOW = 75;
const SIZE = 1024 * 1024;
const FRAMINGS = Object.entries(Replies);
const MAXIMUM = 32 * 1024 * 1024;

/** All replies to a read. */
async function replies(
  client: WireClient,
  offset: number,
  length: number,
  flags = 0,
): Promise<ServerReply[]> {
  const request = { command: Command.Read, offset: BigInt(offset), length: BigInt(length), flags };
  await client.post(request);
  const all: ServerReply[] = [];
  while (all.at(-1)?.done !== true) all.push(await client.reply());
  return all;
}

const types = (all: ServerReply[]) => all.map(({ type }) => type);

for (const [name, framing] of FRAMINGS) {
  Deno.test(`READ of nothing succeeds with ${name} replies, even at the very end`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client({ replies: framing });
    for (const offset of [0, 1000, SIZE]) {
      const all = await replies(client, offset, 0);
      assert.deepEqual(types(all), [framing === Replies.Simple ? null : ReplyType.None]);
      assert.equal(all[0]!.content.kind, "none");
    }
    assert.equal((await client.read(0, 1)).length, 1);
  });

  Deno.test(`READ past the end is EINVAL with ${name} replies`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client({ replies: framing });
    const ranges = [
      [BigInt(SIZE), 1n],
      [BigInt(SIZE) + 512n, 512n],
      [1n << 40n, 4096n],
      [BigInt(SIZE) + 1n, 0n],
    ] as const;
    for (const [offset, length] of ranges) {
      assert.equal(await client.perform(Command.Read, offset, length), EINVAL, `${offset}`);
    }
    await client.read(0, 1);
  });

  Deno.test(`READ whose offset and length overflow 2^64 is EINVAL with ${name} replies`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client({ replies: framing });
    const ranges = [
      [0xffffffffffffffffn, 1n],
      [0xffffffffffffffffn, 2n],
      [0xfffffffffffffe00n, 1024n],
      [0x8000000000000000n, 1n],
    ] as const;
    for (const [offset, length] of ranges) {
      assert.equal(await client.perform(Command.Read, offset, length), EINVAL, `${offset}`);
    }
    await client.read(0, 1);
  });

  Deno.test(`READ of 32 MiB is served and of one byte more EOVERFLOW, ${name}`, async () => {
    await using server = await TestServer.start(["memory", "64M"]);
    await using client = await server.client({ replies: framing });
    const tail = noise(1000);
    assert.equal(await client.write(MAXIMUM - 1000, tail), 0);
    const data = await client.read(0, MAXIMUM);
    assert.equal(data.length, MAXIMUM);
    assertSameBytes(data.subarray(-1000), tail);
    assert.ok(data.subarray(0, -1000).every((byte) => byte === 0));
    const tooMuch = BigInt(MAXIMUM + 1);
    assert.equal(await client.perform(Command.Read, 0n, tooMuch), EOVERFLOW);
    assert.equal(await client.perform(Command.Read, 0n, 0xffffffffn), EOVERFLOW);
    assert.equal((await client.read(0, 1)).length, 1);
  });

  Deno.test(`READ at odd offsets and lengths gives the bytes that were written, ${name}`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client({ replies: framing });
    const data = noise(200_000);
    assert.equal(await client.write(65_431, data), 0);
    for (const [from, length] of [[0, 1], [1, 511], [777, 40_000], [33_000, 167_000]] as const) {
      assertSameBytes(
        await client.read(65_431 + from, length),
        data.subarray(from, from + length),
      );
    }
    const around = await client.read(65_430, 200_002);
    assertSameBytes(around, concatenated(Uint8Array.of(0), data, Uint8Array.of(0)));
  });
}

Deno.test("READ across the end with simple replies is EINVAL", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.client({ replies: Replies.Simple });
  assert.equal(await client.perform(Command.Read, BigInt(SIZE - 512), 1024n), EINVAL);
  await client.read(0, 1);
});

for (const framing of ["Structured", "Extended"] as const) {
  const name = `with ${framing.toLowerCase()} replies`;

  Deno.test(`READ across the end ${name} answers the valid part, then ERROR_OFFSET`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client({ replies: Replies[framing] });
    const data = noise(600);
    await client.write(SIZE - 600, data);
    const cookie = await client.post({
      command: Command.Read,
      offset: BigInt(SIZE - 600),
      length: 1000n,
    });
    const answer = await client.answer(cookie);
    assertSameBytes(answer.data().subarray(0, 600), data);
    assert.equal(answer.failures.length, 1);
    assert.equal(answer.errno, EINVAL);
    assert.equal(answer.failures[0]!.offset, BigInt(SIZE));
    const covered = answer.content().reduce((sum, { length }) => sum + length, 0n);
    assert.equal(covered, 600n);
    await client.read(0, 1);
  });

  Deno.test(`READ with DF across the end ${name} has one chunk and ERROR_OFFSET`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client({ replies: Replies[framing] });
    await client.write(SIZE - 100, noise(50));
    const all = await replies(client, SIZE - 100_000, 200_000, CommandFlag.Df);
    assert.deepEqual(types(all), [ReplyType.OffsetData, ReplyType.ErrorOffset]);
  });

  Deno.test(`READ of data and holes ${name} sends the holes as OFFSET_HOLE`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client({ replies: Replies[framing] });
    const data = noise(65536);
    await client.write(0, data);
    await client.write(131072, data);
    const cookie = await client.post({ command: Command.Read, length: 262144n });
    const answer = await client.answer(cookie);
    assertSameBytes(
      answer.data(),
      concatenated(data, new Uint8Array(65536), data, new Uint8Array(65536)),
    );
    const content = answer.content()
      .map(({ offset, length, hole }) => ({ offset, length, hole }))
      .toSorted((a, b) => Number(a.offset - b.offset));
    assert.deepEqual(content, [
      { offset: 0n, length: 65536n, hole: false },
      { offset: 65536n, length: 65536n, hole: true },
      { offset: 131072n, length: 65536n, hole: false },
      { offset: 196608n, length: 65536n, hole: true },
    ]);
  });

  Deno.test(`READ of 32 MiB of nothing ${name} takes a few bytes`, async () => {
    await using server = await TestServer.start(["memory", "1T"]);
    await using client = await server.client({ replies: Replies[framing] });
    const all = await replies(client, 2 ** 39, MAXIMUM);
    assert.deepEqual(types(all), [ReplyType.OffsetHole]);
  });

  Deno.test(`READ with DF over data and holes ${name} is one chunk, zeroes inline`, async () => {
    await using server = await TestServer.start(["memory", "64M"]);
    await using client = await server.client({ replies: Replies[framing] });
    const data = noise(4096);
    for (const length of [65536, SIZE, MAXIMUM]) {
      for (let at = 0; at < length; at += length / 8) await client.write(at, data);
      await client.write(length - 4096, data);
      const request = { command: Command.Read, length: BigInt(length), flags: CommandFlag.Df };
      const answer = await client.request(request);
      assert.equal(answer.content().length, 1);
      const expected = new Uint8Array(length);
      for (let at = 0; at < length; at += length / 8) expected.set(data, at);
      expected.set(data, length - 4096);
      assertSameBytes(answer.data(), expected);
      await client.perform(Command.Trim, 0n, BigInt(length));
    }
  });

  Deno.test(`READ of file data and holes ${name} gives every byte`, async () => {
    await using server = await TestServer.start(["pattern", "8M"]);
    await using client = await server.client({ replies: Replies[framing] });
    const data = await client.read(3, 1_000_000);
    const view = new DataView(data.buffer, data.byteOffset);
    for (let at = 5; at + 8 < data.length; at += 8) {
      assert.equal(view.getBigUint64(at), BigInt(at + 3));
    }
  });
}

Deno.test("READ with DF is EINVAL where structured replies are not agreed on", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.client({ replies: Replies.Simple });
  assert.equal(await client.perform(Command.Read, 0n, 512n, CommandFlag.Df), EINVAL);
  await client.read(0, 1);
});

Deno.test("READ with FUA is accepted where FUA is offered", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  for (const [, framing] of FRAMINGS) {
    await using client = await server.client({ replies: framing });
    assert.equal(await client.perform(Command.Read, 0n, 512n, CommandFlag.Fua), 0);
  }
});
