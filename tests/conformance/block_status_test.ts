// SPDX-License-Identifier: MIT
// BLOCK_STATUS (proto.md "NBD_CMD_BLOCK_STATUS", "NBD_REPLY_TYPE_BLOCK_STATUS" and its extended
// form): extents in order, within the request, and true.

import assert from "node:assert/strict";
import { Command } from "../../core/block/request.ts";
import { encodeStatusPayload, type StatusExtent } from "../../core/nbd/client.ts";
import { CommandFlag, Replies, ReplyType, TransmissionFlag } from "../../core/nbd/wire.ts";
import { filled, noise } from "../support/bytes.ts";
import { servePlugin } from "../support/plugin_server.ts";
import { TestServer } from "../support/server.ts";
import type { WireClient } from "../support/wire_client.ts";

const EINVAL = 22;
const SIZE = 1024 * 1024;
const HOLE_ZERO = 3n;
const BASE = { contexts: ["base:allocation"] };
const { ReqOne, PayloadLength } = CommandFlag;
const FRAMINGS = [["structured", Replies.Structured], ["extended", Replies.Extended]] as const;

/** The extents of a range, which have to keep the rules of the protocol. */
async function extents(
  client: WireClient,
  offset: bigint | number,
  length: bigint | number,
  flags = 0,
): Promise<StatusExtent[]> {
  const request = { command: Command.BlockStatus, flags };
  const answer = await client.request({
    ...request,
    offset: BigInt(offset),
    length: BigInt(length),
  });
  assert.equal(answer.errno, 0);
  const [id] = client.agreement!.contexts.map((context) => context.id);
  assert.deepEqual([...answer.extents.keys()], [id]);
  const found = answer.extents.get(id!)!;
  let before = 0n;
  for (const [index, extent] of found.entries()) {
    assert.ok(before < BigInt(length), `extent ${index} begins behind the request`);
    if (index > 0) assert.notEqual(extent.flags, found[index - 1]!.flags, "equal neighbours");
    assert.equal(extent.flags & ~3n, 0n, "only HOLE and ZERO are defined");
    before += extent.length;
  }
  assert.ok(found.length <= 2 ** 20);
  return found;
}

/** The same as text: `65536:0 65536:3`. */
async function map(client: WireClient, offset: bigint | number, length: bigint | number) {
  const found = await extents(client, offset, length);
  return found.map((extent) => `${extent.length}:${extent.flags}`).join(" ");
}

for (const [name, replies] of FRAMINGS) {
  Deno.test(`BLOCK_STATUS of nothing is EINVAL in step, ${name}`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client({ replies, ...BASE });
    assert.equal(await client.perform(Command.BlockStatus, 0n, 0n), EINVAL);
    assert.equal(await client.perform(Command.BlockStatus, BigInt(SIZE), 0n), EINVAL);
    await client.read(0, 1);
  });

  Deno.test(`BLOCK_STATUS without a selected context is EINVAL, ${name}`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client({ replies });
    assert.equal(await client.perform(Command.BlockStatus, 0n, 512n), EINVAL);
    await client.read(0, 1);
  });

  Deno.test(`BLOCK_STATUS past and across the end is EINVAL, ${name}`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client({ replies, ...BASE });
    for (
      const [offset, length] of [
        [BigInt(SIZE), 1n],
        [BigInt(SIZE - 512), 1024n],
        [0n, BigInt(SIZE + 1)],
        [0n, 0xffffffffn],
        [0xffffffffffffffffn, 2n],
      ] as const
    ) assert.equal(await client.perform(Command.BlockStatus, offset, length), EINVAL);
    await client.read(0, 1);
  });

  Deno.test(`BLOCK_STATUS tells data from holes, ${name}`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client({ replies, ...BASE });
    assert.equal(await map(client, 0, SIZE), `${SIZE}:3`);
    await client.write(65536, filled(65536, 1));
    await client.write(262144, filled(131072, 1));
    assert.equal(
      await map(client, 0, SIZE),
      "65536:3 65536:0 131072:3 131072:0 655360:3",
    );
    assert.equal(await map(client, 65536, 65536), "65536:0");
    await client.perform(Command.Trim, 65536n, 65536n);
    assert.equal(await map(client, 0, 262144), "262144:3");
  });

  Deno.test(`BLOCK_STATUS at odd offsets and lengths is answered, ${name}`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client({ replies, ...BASE });
    await client.write(0, filled(65536, 1));
    for (const [offset, length] of [[3, 7], [65535, 2], [65530, 100], [1, SIZE - 1]] as const) {
      const found = await extents(client, offset, length);
      const first = BigInt(Math.min(length, 65536 - offset));
      assert.ok(found[0]!.length >= 1n && found[0]!.length <= first, `${found[0]!.length}`);
      assert.equal(found[0]!.flags, 0n);
    }
  });

  Deno.test(`REQ_ONE gives one extent, never longer than the request, ${name}`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client({ replies, ...BASE });
    await client.write(65536, filled(65536, 1));
    for (const [offset, length] of [[0, SIZE], [0, 512], [70_000, 7], [65536, 131072]] as const) {
      const found = await extents(client, offset, length, ReqOne);
      assert.equal(found.length, 1);
      assert.ok(found[0]!.length <= BigInt(length));
    }
  });

  Deno.test(`extents say ZERO only where zeroes are read, ${name}`, async () => {
    await using server = await TestServer.start([
      "sparse-random",
      "4M",
      "percent=30%",
      "runlength=64K",
    ]);
    await using client = await server.client({ replies, ...BASE });
    const data = await client.read(0, 4 * SIZE);
    let at = 0;
    let zero = 0;
    while (at < data.length) {
      for (const { length, flags } of await extents(client, at, data.length - at)) {
        const end = Math.min(at + Number(length), data.length);
        if (flags === HOLE_ZERO) {
          assert.ok(data.subarray(at, end).every((byte) => byte === 0), `data at ${at}`);
          zero += end - at;
        }
        at = end;
      }
    }
    assert.ok(zero > 0 && zero < data.length);
  });

  Deno.test(`BLOCK_STATUS of more than the maximum payload is answered, ${name}`, async () => {
    await using server = await TestServer.start(["memory", "1T"]);
    await using client = await server.client({ replies, ...BASE });
    const found = await extents(client, 5 * 2 ** 30, 0xffffffff);
    assert.equal(found[0]!.flags, HOLE_ZERO);
    assert.ok(found[0]!.length > 0xf0000000n);
  });

  Deno.test(`an export whose plugin knows no extents is all data, ${name}`, async () => {
    await using server = await servePlugin({ body: "" });
    await using client = await server.client({ replies, ...BASE });
    assert.equal(await map(client, 0, SIZE), `${SIZE}:0`);
    assert.equal(await map(client, 5, 7), "7:0");
  });
}

Deno.test("a structured reply has 32-bit extents, an extended one type 6 only", async () => {
  await using server = await TestServer.start(["memory", "1T"]);
  for (const [, replies] of FRAMINGS) {
    await using client = await server.client({ replies, ...BASE });
    await client.post({ command: Command.BlockStatus, length: 512n });
    const expected = replies === Replies.Extended
      ? ReplyType.BlockStatusExtended
      : ReplyType.BlockStatus;
    assert.equal((await client.reply()).type, expected);
  }
});

Deno.test("an extended BLOCK_STATUS covers a terabyte in one extent", async () => {
  await using server = await TestServer.start(["memory", "1T"]);
  await using client = await server.client(BASE);
  assert.equal(await map(client, 0, 2 ** 40), `${2 ** 40}:3`);
  await client.write(2 ** 39, filled(65536, 1));
  assert.equal(await map(client, 0, 2 ** 40), `${2 ** 39}:3 65536:0 ${2 ** 39 - 65536}:3`);
});

Deno.test("BLOCK_STATUS_PAYLOAD is offered with extended headers and contexts only", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  const cases = [
    [{ replies: Replies.Extended, ...BASE }, true],
    [{ replies: Replies.Extended }, false],
    [{ replies: Replies.Structured, ...BASE }, false],
  ] as const;
  for (const [wishes, expected] of cases) {
    await using client = await server.client(wishes as Parameters<typeof server.client>[0]);
    const { flags } = client.agreement!;
    assert.equal((flags & TransmissionFlag.BlockStatusPayload) !== 0, expected);
  }
});

Deno.test("BLOCK_STATUS with a payload answers the contexts that it names", async () => {
  await using server = await TestServer.start(["memory", "1T"]);
  await using client = await server.client(BASE);
  const { id } = client.agreement!.contexts[0]!;
  const payload = encodeStatusPayload(2n ** 40n, [id]);
  const command = Command.BlockStatus;
  const answer = await client.request({ command, flags: PayloadLength, payload });
  assert.deepEqual([...answer.extents], [[id, [{ length: 2n ** 40n, flags: HOLE_ZERO }]]]);
});

Deno.test("BLOCK_STATUS with a wrong payload is EINVAL and the payload eaten", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.client(BASE);
  const { id } = client.agreement!.contexts[0]!;
  const wrong: [string, Uint8Array][] = [
    ["an unknown id", encodeStatusPayload(512n, [id + 1])],
    ["an id twice", encodeStatusPayload(512n, [id, id])],
    ["a known and an unknown id", encodeStatusPayload(512n, [id, 77])],
    ["half an id", encodeStatusPayload(512n, [id]).subarray(0, 10)],
    ["half an effect length", new Uint8Array(4)],
    ["nothing", new Uint8Array(0)],
    ["a range past the end", encodeStatusPayload(BigInt(SIZE + 1), [id])],
    ["no range", encodeStatusPayload(0n, [id])],
    ["a megabyte", noise(SIZE)],
  ];
  for (const [name, payload] of wrong) {
    const command = Command.BlockStatus;
    const answer = await client.request({ command, flags: PayloadLength, payload });
    assert.equal(answer.errno, EINVAL, name);
    assert.equal(await map(client, 0, 512), "512:3");
  }
});

Deno.test("a BLOCK_STATUS reply cut at the end of the device answers the rest when asked", async () => {
  await using server = await TestServer.start(["pattern", "1000003"]);
  await using client = await server.client(BASE);
  const found = await extents(client, 1_000_000, 3);
  assert.equal(found[0]!.length, 3n);
});
