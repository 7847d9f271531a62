// SPDX-License-Identifier: MIT
// Requests off the wire, and what follows them.

import assert from "node:assert/strict";
import { Command, Request } from "../block/request.ts";
import { encodeRequest } from "./client.ts";
import { PAYLOAD_MAX, PAYLOAD_SKIP_MAX } from "./limits.ts";
import { decodeRequest, PAYLOAD_TOO_LARGE, payloadLength, requestHeaderLength } from "./request.ts";
import { CommandFlag, EXTENDED_REQUEST_MAGIC, Replies, REQUEST_MAGIC } from "./wire.ts";

const EACH = [Replies.Simple, Replies.Structured, Replies.Extended];

function decode(bytes: Uint8Array, replies: Replies): Request | null {
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  const request = new Request();
  return decodeRequest(new DataView(shifted.buffer), 3, replies, request) ? request : null;
}

function payload(command: number, flags: number, length: bigint, replies: Replies): number {
  const request = decode(
    encodeRequest({ command, flags, length, rawFlags: true }, replies),
    replies,
  );
  return payloadLength(request!, replies);
}

Deno.test("header is 28 bytes, 32 when extended", () => {
  assert.deepEqual(EACH.map(requestHeaderLength), [28, 28, 32]);
});

Deno.test("all fields of a compact request are decoded", () => {
  const fields = {
    command: 0xfedc,
    flags: 0x8123,
    cookie: 0xfedcba9876543210n,
    offset: 0x89abcdef01234567n,
    length: 0xfffffffen,
  };
  for (const replies of [Replies.Simple, Replies.Structured]) {
    const request = decode(encodeRequest(fields, replies), replies)!;
    assert.equal(request.command, 0xfedc);
    assert.equal(request.flags, 0x8123);
    assert.deepEqual([request.cookieHigh, request.cookieLow], [0xfedcba98, 0x76543210]);
    assert.deepEqual([request.offsetHigh, request.offsetLow], [0x89abcdef, 0x01234567]);
    assert.deepEqual([request.lengthHigh, request.lengthLow], [0, 0xfffffffe]);
  }
});

Deno.test("extended request has a length of 64 bits", () => {
  const bytes = encodeRequest({ command: 6, length: 0x8000000100000002n }, Replies.Extended);
  const request = decode(bytes, Replies.Extended)!;
  assert.deepEqual([request.lengthHigh, request.lengthLow], [0x80000001, 2]);
});

Deno.test("wrong magic is no request, the magic of the other form included", () => {
  for (const replies of EACH) {
    const wrong = replies === Replies.Extended ? REQUEST_MAGIC : EXTENDED_REQUEST_MAGIC;
    for (const magic of [0, 0x12560953, 0x25609514, wrong]) {
      assert.equal(decode(encodeRequest({ command: 0, magic }, replies), replies), null);
    }
  }
});

Deno.test("decoding forgets the former answer", () => {
  const request = new Request();
  request.data(0, 1, 2, true);
  request.errorText = "old";
  request.tail = 7;
  const bytes = encodeRequest({ command: 0 }, Replies.Simple);
  assert.ok(decodeRequest(new DataView(bytes.buffer), 0, Replies.Simple, request));
  assert.deepEqual([request.pieceCount, request.errorText, request.tail], [0, "", 0]);
});

Deno.test("compact: payload follows WRITE only, whatever the flags", () => {
  for (const replies of [Replies.Simple, Replies.Structured]) {
    assert.equal(payload(Command.Write, 0, 5n, replies), 5);
    assert.equal(payload(Command.Read, 0, 5n, replies), 0);
    assert.equal(payload(Command.Trim, CommandFlag.PayloadLength, 5n, replies), 0);
  }
});

Deno.test("extended: payload follows whatever has PAYLOAD_LEN, and every WRITE", () => {
  const flag = CommandFlag.PayloadLength;
  assert.equal(payload(Command.Write, flag, 5n, Replies.Extended), 5);
  assert.equal(payload(Command.Write, 0, 5n, Replies.Extended), 5);
  for (const command of [Command.Read, Command.BlockStatus, 99]) {
    assert.equal(payload(command, flag, 5n, Replies.Extended), 5);
    assert.equal(payload(command, 0, 5n, Replies.Extended), 0);
    assert.equal(payload(command, 0, 1n << 63n, Replies.Extended), 0);
  }
});

Deno.test("payload above the bound is too large to be skipped", () => {
  const write = Command.Write;
  const flag = CommandFlag.PayloadLength;
  assert.equal(payload(write, 0, BigInt(PAYLOAD_SKIP_MAX), Replies.Simple), PAYLOAD_SKIP_MAX);
  const above = BigInt(PAYLOAD_SKIP_MAX) + 1n;
  assert.equal(payload(write, 0, above, Replies.Simple), PAYLOAD_TOO_LARGE);
  assert.equal(payload(write, flag, BigInt(PAYLOAD_MAX), Replies.Extended), PAYLOAD_MAX);
  for (const length of [BigInt(PAYLOAD_MAX) + 1n, 1n << 32n, (1n << 64n) - 1n]) {
    assert.equal(payload(write, flag, length, Replies.Extended), PAYLOAD_TOO_LARGE);
  }
});
