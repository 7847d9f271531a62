// SPDX-License-Identifier: MIT
// Which requests are refused, with which errno, and that the connection stays in step.

import assert from "node:assert/strict";
import { Errno } from "../block/errno.ts";
import { type ExportInfo, Support } from "../block/export.ts";
import { Command, Request } from "../block/request.ts";
import { highOf, lowOf } from "../block/uint64.ts";
import { type ClientRequest, encodeStatusPayload } from "./client.ts";
import { createSession, type Session } from "./session.ts";
import { exportInfo, ModelExport } from "./testing/model_export.ts";
import { Client, type ClientTerms } from "./testing/talk.ts";
import { ANSWERED, validateRequest } from "./validate.ts";
import { CommandFlag, Replies } from "./wire.ts";

const { EINVAL, ENOSPC, EPERM, EOVERFLOW } = Errno;
const { Read, Write, Flush, Trim, Cache, WriteZeroes, BlockStatus } = Command;
const SIZE = 65536n;
const EACH = [Replies.Simple, Replies.Structured, Replies.Extended];
const STATUS: ClientTerms = { replies: Replies.Extended, contexts: true };

function disk(changes: Partial<ExportInfo> = {}): ExportInfo {
  return exportInfo(Number(SIZE), changes);
}

function without(...names: (keyof ExportInfo["can"])[]): ExportInfo {
  const can = { ...disk().can };
  for (const name of names) can[name] = Support.None;
  return disk({ can });
}

/** Expects `errno` for a request under all framings of replies, in step, not seen by the device. */
function refused(request: ClientRequest, errno: number, info = disk()): void {
  for (const replies of EACH) {
    const client = new Client(info, { replies, contexts: replies !== Replies.Simple });
    const before = client.export.counts.reduce((a, b) => a + b);
    assert.equal(client.errno(request), errno);
    assert.equal(client.export.counts.reduce((a, b) => a + b), before);
    client.assertInStep();
  }
}

function accepted(request: ClientRequest, info = disk()): void {
  for (const replies of EACH) {
    const client = new Client(info, { replies });
    assert.equal(client.errno(request), 0);
    client.assertInStep();
  }
}

Deno.test("READ past the end is EINVAL", () => {
  refused({ command: Read, offset: SIZE, length: 1n }, EINVAL);
  refused({ command: Read, offset: SIZE + 1n, length: 0n }, EINVAL);
  refused({ command: Read, offset: 1n << 63n, length: 512n }, EINVAL);
});

Deno.test("READ whose offset and length overflow 2^64 is EINVAL", () => {
  refused({ command: Read, offset: (1n << 64n) - 1n, length: 512n }, EINVAL);
});

Deno.test("READ across the end is EINVAL with simple replies", () => {
  const client = new Client(disk());
  assert.equal(client.errno({ command: Read, offset: SIZE - 1n, length: 2n }), EINVAL);
});

Deno.test("WRITE past the end is ENOSPC, its payload is skipped", () => {
  refused({ command: Write, offset: SIZE, payload: new Uint8Array(1) }, ENOSPC);
  refused({ command: Write, offset: SIZE - 1n, payload: new Uint8Array(2000) }, ENOSPC);
  refused({ command: Write, offset: (1n << 64n) - 1n, payload: new Uint8Array(2) }, ENOSPC);
});

Deno.test("WRITE_ZEROES past the end is ENOSPC", () => {
  refused({ command: WriteZeroes, offset: SIZE - 1n, length: 2n }, ENOSPC);
  refused({ command: WriteZeroes, offset: 0n, length: SIZE + 1n }, ENOSPC);
});

Deno.test("TRIM and CACHE past the end are EINVAL", () => {
  refused({ command: Trim, offset: SIZE - 1n, length: 2n }, EINVAL);
  refused({ command: Cache, offset: SIZE, length: 1n }, EINVAL);
});

Deno.test("BLOCK_STATUS past the end is EINVAL", () => {
  for (const replies of [Replies.Structured, Replies.Extended]) {
    const client = new Client(disk(), { replies, contexts: true });
    const length = SIZE + 1n;
    assert.equal(client.errno({ command: BlockStatus, offset: 0n, length }), EINVAL);
    client.assertInStep();
  }
});

Deno.test("effect lengths of 64 bits are compared exactly", () => {
  const client = new Client(disk(), STATUS);
  const beyond = [1n << 32n, (1n << 32n) + 1n, (1n << 64n) - 1n, 1n << 63n];
  for (const length of beyond) {
    assert.equal(client.errno({ command: WriteZeroes, offset: 1n, length }), ENOSPC);
    assert.equal(client.errno({ command: Trim, offset: 1n, length }), EINVAL);
    assert.equal(client.errno({ command: Cache, offset: 0n, length }), EINVAL);
    assert.equal(client.errno({ command: BlockStatus, offset: 0n, length }), EINVAL);
  }
});

Deno.test("WRITE, TRIM and WRITE_ZEROES on a read-only export are EPERM", () => {
  const info = disk({ readOnly: true });
  refused({ command: Write, payload: new Uint8Array(100) }, EPERM, info);
  refused({ command: Trim, length: 1n }, EPERM, info);
  refused({ command: WriteZeroes, length: 1n }, EPERM, info);
  refused({ command: Write, offset: SIZE, payload: new Uint8Array(1) }, EPERM, info);
});

Deno.test("unknown command is EINVAL", () => {
  for (const command of [8, 9, 255, 0xffff]) refused({ command, length: 1n }, EINVAL);
});

Deno.test("command that is not offered is EINVAL", () => {
  refused({ command: Flush }, EINVAL, without("flush"));
  refused({ command: Trim, length: 1n }, EINVAL, without("trim"));
  refused({ command: Cache, length: 1n }, EINVAL, without("cache"));
  refused({ command: WriteZeroes, length: 1n }, EINVAL, without("zero"));
});

Deno.test("BLOCK_STATUS without a context is EINVAL", () => {
  for (const replies of EACH) {
    const client = new Client(disk(), { replies });
    assert.equal(client.errno({ command: BlockStatus, length: 512n }), EINVAL);
    client.assertInStep();
  }
});

Deno.test("unknown flag is EINVAL", () => {
  for (const flags of [0x40, 0x8000]) {
    refused({ command: Read, length: 1n, flags }, EINVAL);
    refused({ command: Write, payload: new Uint8Array(9), flags }, EINVAL);
    refused({ command: Flush, flags }, EINVAL);
  }
});

Deno.test("flag on a command that it does not belong to is EINVAL", () => {
  const { NoHole, Df, ReqOne, FastZero } = CommandFlag;
  for (const flags of [NoHole, ReqOne, FastZero]) {
    refused({ command: Read, length: 1n, flags }, EINVAL);
  }
  for (const flags of [NoHole, Df, ReqOne, FastZero]) {
    refused({ command: Write, payload: new Uint8Array(9), flags }, EINVAL);
    refused({ command: Trim, length: 1n, flags }, EINVAL);
    refused({ command: Cache, length: 1n, flags }, EINVAL);
    refused({ command: Flush, flags }, EINVAL);
  }
  for (const flags of [Df, ReqOne]) refused({ command: WriteZeroes, length: 1n, flags }, EINVAL);
});

Deno.test("DF without structured replies is EINVAL", () => {
  const client = new Client(disk());
  assert.equal(client.errno({ command: Read, length: 1n, flags: CommandFlag.Df }), EINVAL);
});

Deno.test("FAST_ZERO that is not advertised is EINVAL", () => {
  const flags = CommandFlag.FastZero;
  refused({ command: WriteZeroes, length: 1n, flags }, EINVAL, without("fastZero"));
});

Deno.test("FUA is accepted on every command where it is advertised", () => {
  const flags = CommandFlag.Fua;
  accepted({ command: Read, length: 1n, flags });
  accepted({ command: Write, payload: new Uint8Array(1), flags });
  accepted({ command: Flush, flags });
  accepted({ command: Trim, length: 1n, flags });
  accepted({ command: Cache, length: 1n, flags });
  accepted({ command: WriteZeroes, length: 1n, flags });
  const client = new Client(disk(), STATUS);
  assert.equal(client.errno({ command: BlockStatus, length: 1n, flags }), 0);
});

Deno.test("FUA is EINVAL where it is not advertised", () => {
  const flags = CommandFlag.Fua;
  refused({ command: Write, payload: new Uint8Array(1), flags }, EINVAL, without("fua"));
});

Deno.test("devices see FUA only where it means something", () => {
  const client = new Client(disk(), STATUS);
  const seen: number[] = [];
  client.export.answer = ({ flags }) => void seen.push(flags);
  const flags = CommandFlag.Fua;
  client.ask({ command: Read, length: 1n, flags });
  client.ask({ command: Flush, flags });
  client.ask({ command: Write, payload: new Uint8Array(1), flags });
  client.ask({ command: Trim, length: 1n, flags });
  client.ask({ command: WriteZeroes, length: 1n, flags: flags | CommandFlag.NoHole });
  assert.deepEqual(seen, [0, 0, 1, 1, 3]);
});

Deno.test("FLUSH with offset and length is a flush", () => {
  accepted({ command: Flush, offset: (1n << 64n) - 1n, length: 77n });
});

Deno.test("zero-length requests succeed without the device", () => {
  for (const replies of EACH) {
    const client = new Client(disk(), { replies });
    for (const command of [Read, Write, Trim, Cache, WriteZeroes]) {
      for (const offset of [0n, 17n, SIZE]) {
        assert.equal(client.errno({ command, offset, length: 0n }), 0, `command ${command}`);
      }
    }
    assert.deepEqual(client.export.counts, [0, 0, 0, 0, 0, 0, 0, 0]);
  }
});

Deno.test("zero-length BLOCK_STATUS is EINVAL: there is no extent of no length", () => {
  const client = new Client(disk(), STATUS);
  assert.equal(client.errno({ command: BlockStatus, length: 0n }), EINVAL);
  client.assertInStep();
});

Deno.test("READ above the maximum payload is EOVERFLOW", () => {
  const huge = exportInfo(0, { sizeHigh: 1, sizeLow: 0 });
  for (const replies of EACH) {
    const session = sessionOf(huge, replies);
    assert.equal(verdict(session, Read, 0n, 1n << 25n), 0);
    assert.equal(verdict(session, Read, 0n, (1n << 25n) + 1n), EOVERFLOW);
  }
  assert.equal(verdict(sessionOf(huge, Replies.Extended), Read, 0n, 1n << 32n), EOVERFLOW);
});

Deno.test("33554433-byte WRITE is refused, its payload is skipped", () => {
  for (const replies of [Replies.Simple, Replies.Structured]) {
    const client = new Client(disk(), { replies });
    assert.equal(client.errno({ command: Write, payload: new Uint8Array(33554433) }), EINVAL);
    client.assertInStep();
  }
});

Deno.test("WRITE above the bound of the server closes the connection", () => {
  const compact = new Client(disk());
  assert.equal(compact.ask({ command: Write, length: (64n << 20n) + 1n }), null);
  const extended = new Client(disk(), { replies: Replies.Extended });
  assert.equal(extended.ask({ command: Write, length: (32n << 20n) + 1n }), null);
});

Deno.test("payload within 2^25 never closes the connection, however small the maximum", () => {
  const blockSize = { minimum: 1, preferred: 4096, maximum: 1 << 16 };
  const request = { command: Write, payload: new Uint8Array(1 << 25) };
  for (const replies of EACH) {
    const client = new Client(disk({ blockSize }), { replies });
    assert.equal(client.errno(request), EINVAL);
    client.assertInStep();
  }
});

Deno.test("request that is not aligned to the minimum block size is EINVAL", () => {
  const info = disk({ blockSize: { minimum: 512, preferred: 4096, maximum: 1 << 25 } });
  const session = sessionOf(info, Replies.Structured);
  for (const command of [Read, Trim, Cache, WriteZeroes, BlockStatus]) {
    assert.equal(verdict(session, command, 512n, 511n), EINVAL);
    assert.equal(verdict(session, command, 1n, 512n), EINVAL);
    assert.equal(verdict(session, command, 512n, 1024n), 0);
  }
  assert.equal(verdict(session, Write, 256n, 512n), EINVAL);
});

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

Deno.test("DISC closes without an answer", () => {
  for (const replies of EACH) {
    const client = new Client(disk(), { replies });
    const answer = client.ask({ command: Command.Disconnect, flags: 0x1f, offset: 5n, length: 6n });
    assert.equal(answer, null);
    assert.equal(client.talk.queue.length, 0);
  }
});

Deno.test("wrong request magic closes the connection without an answer", () => {
  for (const replies of EACH) {
    const client = new Client(disk(), { replies });
    const magic = replies === Replies.Extended ? 0x25609513 : 0x21e41c71;
    assert.equal(client.ask({ command: Read, length: 1n, magic }), null);
    assert.equal(client.talk.queue.length, 0);
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

Deno.test("an export of 2^63-1 bytes can be used to its last byte", () => {
  const session = sessionOf(
    exportInfo(0, { sizeHigh: 0x7fffffff, sizeLow: 0xffffffff }),
    Replies.Structured,
  );
  const size = (1n << 63n) - 1n;
  assert.equal(verdict(session, Read, size - 1n, 1n), 0);
  assert.equal(verdict(session, Write, size - 512n, 512n), 0);
  assert.equal(verdict(session, Write, size - 511n, 512n), ENOSPC);
  assert.equal(verdict(session, Read, size, 1n), EINVAL);
  assert.equal(verdict(session, Trim, 0n, 0xffffffffn), 0);
});

Deno.test("READ across the end is cut where the client can be told about the rest", () => {
  const session = sessionOf(exportInfo(0, { sizeHigh: 1, sizeLow: 100 }), Replies.Structured);
  const request = requestOf(Read, (1n << 32n) - 50n, 400n);
  assert.equal(validateRequest(request, session), 0);
  assert.deepEqual([request.lengthLow, request.tail], [150, 250]);
});

Deno.test("READ across the end of an odd size is cut to whole blocks", () => {
  const info = exportInfo(1300, { blockSize: { minimum: 512, preferred: 4096, maximum: 1 << 25 } });
  const session = sessionOf(info, Replies.Structured);
  const request = requestOf(Read, 512n, 1024n);
  assert.equal(validateRequest(request, session), 0);
  assert.deepEqual([request.lengthLow, request.tail], [512, 512]);
  assert.equal(validateRequest(requestOf(Read, 1024n, 512n), session), EINVAL);
});

Deno.test("BLOCK_STATUS of an export without extents is answered as data", () => {
  const client = new Client(without("extents"), STATUS);
  const answer = client.ask({ command: BlockStatus, offset: 5n, length: 1000n })!;
  assert.deepEqual([...answer.extents], [[1, [{ length: 1000n, flags: 0n }]]]);
  assert.equal(client.export.counts[BlockStatus], 0);
});

Deno.test("refusals carry a text where replies can", () => {
  for (const replies of [Replies.Structured, Replies.Extended]) {
    const client = new Client(disk(), { replies });
    const answer = client.ask({ command: Trim, offset: SIZE, length: 1n })!;
    assert.equal(answer.failures[0]!.message, "request goes past the end of the export");
  }
});

function sessionOf(info: ExportInfo, replies: Replies): Session {
  // Nothing is submitted, so there need not be as many bytes as the size says.
  const opened = Object.assign(new ModelExport(exportInfo(0)), { info });
  const metaContexts = [{ id: 1, name: "base:allocation" }];
  return createSession({ export: opened, exportName: "disk", replies, metaContexts });
}

function requestOf(command: number, offset: bigint, length: bigint): Request {
  return Object.assign(new Request(), {
    command,
    offsetHigh: highOf(offset),
    offsetLow: lowOf(offset),
    lengthHigh: highOf(length),
    lengthLow: lowOf(length),
  });
}

function verdict(session: Session, command: number, offset: bigint, length: bigint): number {
  const result = validateRequest(requestOf(command, offset, length), session);
  assert.notEqual(result, ANSWERED);
  return result;
}
