// SPDX-License-Identifier: MIT
// Requests and answers of all kinds against plain models of what they should do.

import assert from "node:assert/strict";
import fc from "fast-check";
import { Errno } from "../block/errno.ts";
import { Command, Request } from "../block/request.ts";
import { highOf, lowOf, toBigInt } from "../block/uint64.ts";
import { encodeRequest } from "./client.ts";
import { decodeRequest } from "./request.ts";
import { createSession, type Session } from "./session.ts";
import { exportInfo, ModelExport } from "./testing/model_export.ts";
import { Client } from "./testing/talk.ts";
import { ANSWERED, validateRequest } from "./validate.ts";
import { CommandFlag, Replies } from "./wire.ts";

const anyReplies = fc.constantFrom(Replies.Simple, Replies.Structured, Replies.Extended);
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const u32 = fc.nat(0xffffffff);
const u16 = fc.nat(0xffff);

Deno.test("every request is decoded to what was encoded", () => {
  const fields = fc.record({ command: u16, flags: u16, cookie: u64, offset: u64, length: u64 });
  fc.assert(fc.property(fields, anyReplies, (fields, replies) => {
    const length = replies === Replies.Extended ? fields.length : fields.length & 0xffffffffn;
    const bytes = encodeRequest({ ...fields, length, rawFlags: true }, replies);
    const request = new Request();
    assert.ok(decodeRequest(new DataView(bytes.buffer), 0, replies, request));
    assert.deepEqual({
      command: request.command,
      flags: request.flags,
      cookie: toBigInt(request.cookieHigh, request.cookieLow),
      offset: toBigInt(request.offsetHigh, request.offsetLow),
      length: toBigInt(request.lengthHigh, request.lengthLow),
    }, { ...fields, length });
  }));
});

function sessionOf(size: bigint, replies: Replies, minimum: number): Session {
  const blockSize = { minimum, preferred: 4096, maximum: 1 << 25 };
  const info = { ...exportInfo(0, { blockSize }), sizeHigh: highOf(size), sizeLow: lowOf(size) };
  return createSession({
    export: Object.assign(new ModelExport(exportInfo(0)), { info }),
    exportName: "disk",
    replies,
    metaContexts: replies === Replies.Simple ? [] : [{ id: 1, name: "base:allocation" }],
  });
}

/** A number near one of a few interesting ones. */
const near = (...centres: bigint[]) =>
  fc.tuple(fc.constantFrom(...centres), fc.bigInt({ min: -1025n, max: 1025n })).map(([a, b]) => {
    return BigInt.asUintN(64, a + b);
  });
const anySize = fc.oneof(near(0n, 1n << 16n, 1n << 32n, 1n << 53n, (1n << 63n) - 1026n), u64)
  .map((size) => size & ((1n << 63n) - 1n));

Deno.test("range and alignment are judged as by unlimited integers", () => {
  const commands = fc.constantFrom(Command.Read, Command.Write, Command.Trim, Command.WriteZeroes);
  const minimum = fc.constantFrom(1, 1, 512, 65536);
  fc.assert(
    fc.property(
      anySize,
      commands,
      anyReplies,
      minimum,
      u64,
      u64,
      (size, command, replies, min, a, b) => {
        const extended = replies === Replies.Extended;
        const big = command === Command.Read || command === Command.Write;
        const offset = BigInt.asUintN(64, a % 3n === 0n ? a : size - (a % 5000n));
        const length = big ? b % 9000n : b % 2n === 0n && extended ? b : b & 0xffffffffn;
        const request = Object.assign(new Request(), {
          command,
          flags: extended && command === Command.Write ? CommandFlag.PayloadLength : 0,
          offsetHigh: highOf(offset),
          offsetLow: lowOf(offset),
          lengthHigh: highOf(length),
          lengthLow: lowOf(length),
        });
        const verdict = validateRequest(request, sessionOf(size, replies, min));
        assert.equal(verdict, expected(size, command, replies, BigInt(min), offset, length));
        const left = toBigInt(request.lengthHigh, request.lengthLow);
        if (verdict <= 0) assert.ok(offset + left <= size);
        assert.equal(left + BigInt(request.tail), length);
        if (request.tail > 0) assert.equal(left, (size - offset) / BigInt(min) * BigInt(min));
      },
    ),
    { numRuns: 5000 },
  );
});

function expected(
  size: bigint,
  command: number,
  replies: Replies,
  minimum: bigint,
  offset: bigint,
  length: bigint,
): number {
  if (offset % minimum !== 0n || length % minimum !== 0n) return Errno.EINVAL;
  if (offset + length <= size) return length === 0n ? ANSWERED : 0;
  const present = size > offset ? (size - offset) / minimum * minimum : 0n;
  if (command === Command.Read && replies !== Replies.Simple && present > 0n) return 0;
  const grows = command === Command.Write || command === Command.WriteZeroes;
  return grows ? Errno.ENOSPC : Errno.EINVAL;
}

/** Cuts `total` into pieces with a kind each. */
const pieces = fc.array(fc.tuple(fc.integer({ min: 1, max: 900 }), fc.nat(3)), {
  minLength: 1,
  maxLength: 40,
});

Deno.test("data, zeroes and holes reach the client as the device put them", () => {
  fc.assert(
    fc.property(pieces, anyReplies, fc.boolean(), (parts, replies, df) => {
      const client = new Client(exportInfo(65536), { replies });
      const memory = client.export.memory.bytes;
      for (let i = 0; i < 40_000; i++) memory[4096 + i] = i % 251 + 1;
      const length = parts.reduce((sum, [size]) => sum + size, 0);
      const wanted = new Uint8Array(length);
      client.export.answer = (request) => {
        let at = 0;
        for (const [size, kind] of parts) {
          if (kind > 1) request.zero(at, size, kind === 3);
          else {
            wanted.set(memory.subarray(5000 + 7 * at, 5000 + 7 * at + size).map((x) => x), at);
            request.data(at, 5000 + 7 * at, size, kind === 1);
          }
          at += size;
        }
        return 0;
      };
      const flags = df && replies !== Replies.Simple ? CommandFlag.Df : 0;
      const answer = client.ask({
        command: Command.Read,
        offset: 77n,
        length: BigInt(length),
        flags,
      })!;
      assert.equal(answer.errno, 0);
      assert.deepEqual(answer.data(), wanted);
      if (flags !== 0) assert.equal(answer.content().length, 1);
    }),
    { numRuns: 200 },
  );
});

const extents = fc.array(fc.tuple(fc.integer({ min: 1, max: 3000 }), fc.nat(3)), {
  minLength: 1,
  maxLength: 30,
});

Deno.test("extents say of each block what is true of all of it", () => {
  const minimum = fc.constantFrom(1, 512, 4096);
  fc.assert(
    fc.property(extents, minimum, fc.boolean(), anyReplies, (parts, min, one, replies) => {
      if (replies === Replies.Simple) return;
      const blockSize = { minimum: min, preferred: 4096, maximum: 1 << 25 };
      const client = new Client(exportInfo(65536, { blockSize }), { replies, contexts: true });
      client.export.answer = (request) => {
        for (const [size, flags] of parts) request.extent(0, size, flags);
        return 0;
      };
      const flags = one ? CommandFlag.ReqOne : 0;
      const answer = client.ask({ command: Command.BlockStatus, length: 32768n, flags })!;
      const told = answer.extents.get(1)!;
      const perByte = parts.flatMap(([size, flags]) => new Array<number>(size).fill(flags));
      let at = 0;
      for (const [index, { length, flags }] of told.entries()) {
        assert.equal(Number(length) % min, 0);
        if (index > 0) assert.notEqual(flags, told[index - 1]!.flags);
        const end = at + Number(length);
        for (; at < end; at += min) {
          let common = 3;
          for (let byte = at; byte < at + min; byte++) common &= perByte[byte] ?? 0;
          if (Number(flags) !== common) assert.fail(`byte ${at}: ${flags}, not ${common}`);
        }
      }
      assert.ok(at <= 32768);
      if (!one) assert.ok(at >= Math.min(32768, perByte.length));
    }),
    { numRuns: 200 },
  );
});

const request = fc.record({
  command: fc.oneof(fc.nat(8), u16),
  flags: fc.oneof(fc.constant(0), fc.nat(0x3f), u16),
  cookie: u64,
  offset: fc.oneof(fc.bigInt({ min: 0n, max: 65536n }), u64),
  length: fc.oneof(fc.bigInt({ min: 0n, max: 5000n }), u32.map(BigInt)),
}).filter(({ command }) => command !== Command.Disconnect);

Deno.test("every request gets an answer that a strict client accepts, and the next one too", () => {
  fc.assert(
    fc.property(fc.array(request, { maxLength: 20 }), anyReplies, (requests, replies) => {
      const client = new Client(exportInfo(65536), {
        replies,
        contexts: replies !== Replies.Simple,
      });
      for (const fields of requests) {
        const announced = replies === Replies.Extended &&
          (fields.flags & CommandFlag.PayloadLength) !== 0;
        const withPayload = announced || fields.command === Command.Write;
        const payload = new Uint8Array(Number(fields.length & 0x1fffn));
        const sent = withPayload ? { ...fields, length: BigInt(payload.length), payload } : fields;
        assert.notEqual(client.ask({ ...sent, rawFlags: true }), null);
      }
      assert.equal(client.server.lie, "");
      client.assertInStep();
    }),
    { numRuns: 300 },
  );
});
