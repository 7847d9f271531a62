// SPDX-License-Identifier: MIT
// Offsets, lengths, alignment and payload sizes: which are refused, with which errno, in step.

import assert from "node:assert/strict";
import { Errno } from "../block/errno.ts";
import { Command } from "../block/request.ts";
import { exportInfo } from "./testing/model_export.ts";
import { disk, EACH, refused, requestOf, sessionOf, SIZE, verdict } from "./testing/requests.ts";
import { Client, type ClientTerms } from "./testing/talk.ts";
import { validateRequest } from "./validate.ts";
import { Replies } from "./wire.ts";

const { EINVAL, ENOSPC, EOVERFLOW } = Errno;
const { Read, Write, Trim, Cache, WriteZeroes, BlockStatus } = Command;
const STATUS: ClientTerms = { replies: Replies.Extended, contexts: true };

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

Deno.test("an export that has changed its size is checked by what it is now", () => {
  const info = exportInfo(4096);
  const session = sessionOf(info, Replies.Simple);
  const ask = (offset: bigint) => validateRequest(requestOf(Read, offset, 512n), session);
  assert.equal(ask(4096n), EINVAL);
  info.sizeLow = 8192;
  assert.equal(ask(4096n), 0);
  info.sizeLow = 1024;
  assert.equal(ask(1024n), EINVAL);
});
