// SPDX-License-Identifier: MIT
// Payloads of extended and compact requests, and what BLOCK_STATUS makes of its own.

import assert from "node:assert/strict";
import { Errno } from "../block/errno.ts";
import { Command } from "../block/request.ts";
import { encodeStatusPayload } from "./client.ts";
import { disk, SIZE, without } from "./testing/requests.ts";
import { Client, type ClientTerms } from "./testing/talk.ts";
import { CommandFlag, Replies } from "./wire.ts";

const { EINVAL } = Errno;
const { Read, Write, Flush, Trim, Cache, WriteZeroes, BlockStatus } = Command;
const STATUS: ClientTerms = { replies: Replies.Extended, contexts: true };

Deno.test("extended WRITE without PAYLOAD_LEN, as qemu sends it, is carried out", () => {
  const client = new Client(disk(), { replies: Replies.Extended });
  const payload = new Uint8Array(512).fill(7);
  assert.equal(client.errno({ command: Write, payload, rawFlags: true }), 0);
  client.assertInStep();
});

Deno.test("extended command with a payload that it does not take skips it and is EINVAL", () => {
  const client = new Client(disk(), { replies: Replies.Extended });
  const flags = CommandFlag.PayloadLength;
  for (const command of [Read, Flush, Trim, Cache, WriteZeroes, BlockStatus, 99]) {
    assert.equal(client.errno({ command, flags, payload: new Uint8Array(777) }), EINVAL);
    client.assertInStep();
  }
});

Deno.test("compact request with PAYLOAD_LEN is EINVAL", () => {
  for (const replies of [Replies.Simple, Replies.Structured]) {
    const client = new Client(disk(), { replies });
    const flags = CommandFlag.PayloadLength;
    assert.equal(client.errno({ command: Write, flags, payload: new Uint8Array(9) }), EINVAL);
    assert.equal(client.errno({ command: Read, flags, length: 9n }), EINVAL);
    client.assertInStep();
  }
});

Deno.test("BLOCK_STATUS payload: duplicate, unknown and no ids and odd lengths are EINVAL", () => {
  const client = new Client(disk(), STATUS);
  const flags = CommandFlag.PayloadLength;
  const bad = [
    encodeStatusPayload(512n, [1, 1]),
    encodeStatusPayload(512n, [2]),
    encodeStatusPayload(512n, []),
    encodeStatusPayload(0n, [1]),
    encodeStatusPayload(SIZE + 1n, [1]),
    encodeStatusPayload((1n << 64n) - 1n, [1]),
    new Uint8Array(13),
    new Uint8Array(7),
    new Uint8Array(1 << 20),
  ];
  for (const payload of bad) {
    assert.equal(client.errno({ command: BlockStatus, flags, payload }), EINVAL);
    client.assertInStep();
  }
});

Deno.test("BLOCK_STATUS payload selects length and contexts", () => {
  const client = new Client(disk(), STATUS);
  const payload = encodeStatusPayload(1024n, [1]);
  const flags = CommandFlag.PayloadLength;
  const answer = client.ask({ command: BlockStatus, flags, offset: 512n, payload })!;
  assert.deepEqual([...answer.extents], [[1, [{ length: 1024n, flags: 3n }]]]);
});

Deno.test("BLOCK_STATUS of an export without extents is answered as data", () => {
  const client = new Client(without("extents"), STATUS);
  const answer = client.ask({ command: BlockStatus, offset: 5n, length: 1000n })!;
  assert.deepEqual([...answer.extents], [[1, [{ length: 1000n, flags: 0n }]]]);
  assert.equal(client.export.counts[BlockStatus], 0);
});
