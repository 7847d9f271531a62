// SPDX-License-Identifier: MIT
// Commands and flags: which are refused, with which errno, in step.

import assert from "node:assert/strict";
import { Errno } from "../block/errno.ts";
import { Command } from "../block/request.ts";
import { accepted, disk, EACH, refused, SIZE, without } from "./testing/requests.ts";
import { Client, type ClientTerms } from "./testing/talk.ts";
import { CommandFlag, Replies } from "./wire.ts";

const { EINVAL, EPERM } = Errno;
const { Read, Write, Flush, Trim, Cache, WriteZeroes, BlockStatus } = Command;
const STATUS: ClientTerms = { replies: Replies.Extended, contexts: true };

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

Deno.test("refusals carry a text where replies can", () => {
  for (const replies of [Replies.Structured, Replies.Extended]) {
    const client = new Client(disk(), { replies });
    const answer = client.ask({ command: Trim, offset: SIZE, length: 1n })!;
    assert.equal(answer.failures[0]!.message, "request goes past the end of the export");
  }
});
