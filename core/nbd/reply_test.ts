// SPDX-License-Identifier: MIT
// Replies to commands without a payload, and the bytes of each kind of reply.

import assert from "node:assert/strict";
import { Errno } from "../block/errno.ts";
import { Command, Request } from "../block/request.ts";
import { frameReply } from "./reply.ts";
import { createSession } from "./session.ts";
import { ByteGather } from "./testing/byte_gather.ts";
import { exportInfo, ModelExport } from "./testing/model_export.ts";
import { Client } from "./testing/talk.ts";
import { Replies } from "./wire.ts";

const EACH = [Replies.Simple, Replies.Structured, Replies.Extended];
const COOKIE = "0123456789abcdef";

/** The reply in hexadecimal; `fill` answers the request. */
function framed(replies: Replies, command: number, errno: number, fill = (_: Request) => {}) {
  const opened = new ModelExport(exportInfo(1 << 20));
  opened.memory.bytes.set([0xaa, 0xbb, 0xcc, 0xdd], 4096);
  const session = createSession({
    export: opened,
    exportName: "disk",
    replies,
    metaContexts: [{ id: 1, name: "base:allocation" }],
  });
  const request = Object.assign(new Request(), {
    command,
    cookieHigh: 0x01234567,
    cookieLow: 0x89abcdef,
    offsetLow: 0x1000,
    lengthLow: 4,
    contexts: 1,
  });
  fill(request);
  const gather = new ByteGather(opened.memory);
  assert.ok(frameReply(request, errno, session, gather));
  return gather.takeBytes().toHex();
}

const data = (request: Request) => request.data(0, 4096, 4, true);
const text = (request: Request) => void (request.errorText = "no");

Deno.test("bytes of simple replies", () => {
  assert.equal(framed(0, Command.Write, 0), `6744669800000000${COOKIE}`);
  assert.equal(framed(0, Command.Write, 28, text), `674466980000001c${COOKIE}`);
  assert.equal(framed(0, Command.Read, 0, data), `6744669800000000${COOKIE}aabbccdd`);
});

Deno.test("bytes of structured replies", () => {
  const header = (type: string) => `668e33ef0001${type}${COOKIE}`;
  assert.equal(framed(1, Command.Write, 0), `6744669800000000${COOKIE}`);
  assert.equal(
    framed(1, Command.Read, 0, data),
    `${header("0001")}0000000c0000000000001000aabbccdd`,
  );
  assert.equal(
    framed(1, Command.Read, 0, (r) => r.zero(0, 4, true)),
    `${header("0002")}0000000c000000000000100000000004`,
  );
  assert.equal(framed(1, Command.Write, 28, text), `${header("8001")}000000080000001c00026e6f`);
  assert.equal(
    framed(1, Command.Read, 0, (r) => r.fail(0, 4, 5)),
    `${header("8002")}0000000e0000000500000000000000001000`,
  );
  assert.equal(
    framed(1, Command.BlockStatus, 0, (r) => r.extent(0, 9, 2)),
    `${header("0005")}0000000c000000010000000400000002`,
  );
});

Deno.test("bytes of extended replies", () => {
  const header = (type: string) => `6e8a278c0001${type}${COOKIE}0000000000001000`;
  assert.equal(framed(2, Command.Write, 0), `${header("0000")}0000000000000000`);
  assert.equal(
    framed(2, Command.Read, 0, data),
    `${header("0001")}000000000000000c0000000000001000aabbccdd`,
  );
  assert.equal(
    framed(2, Command.Write, 1, text),
    `${header("8001")}00000000000000080000000100026e6f`,
  );
  assert.equal(
    framed(2, Command.BlockStatus, 0, (r) => r.extent(0, 9, 2)),
    `${header("0006")}00000000000000180000000100000001` +
      "00000000000000040000000000000002",
  );
});

Deno.test("commands without a payload succeed, their data reaches the device", () => {
  for (const replies of EACH) {
    const client = new Client(exportInfo(65536), { replies });
    const payload = new Uint8Array(700).fill(5);
    assert.equal(client.errno({ command: Command.Write, offset: 1000n, payload }), 0);
    assert.deepEqual(client.export.data.slice(1000, 1700), payload);
    assert.equal(client.errno({ command: Command.WriteZeroes, offset: 1000n, length: 600n }), 0);
    assert.deepEqual(
      client.export.data.slice(1590, 1610),
      payload.map((_, i) => i < 10 ? 0 : 5).slice(0, 20),
    );
    for (const command of [Command.Flush, Command.Trim, Command.Cache]) {
      assert.equal(client.errno({ command, length: 512n }), 0);
    }
    assert.deepEqual(client.export.counts, [0, 1, 0, 1, 1, 1, 1, 0]);
  }
});

Deno.test("errors of the device reach the client, with a text of at most 4096 bytes of UTF-8", () => {
  for (const replies of [Replies.Structured, Replies.Extended]) {
    const client = new Client(exportInfo(65536), { replies });
    client.export.answer = (request) => {
      request.errorText = "x" + "€".repeat(5000);
      return Errno.EDQUOT;
    };
    const answer = client.ask({ command: Command.Write, payload: new Uint8Array(1) })!;
    assert.equal(answer.errno, Errno.ENOSPC);
    assert.equal(answer.failures[0]!.message, "x" + "€".repeat(1365));
  }
});

Deno.test("cookies are echoed, whatever they are", () => {
  for (const replies of EACH) {
    const client = new Client(exportInfo(65536), { replies });
    for (const cookie of [0n, (1n << 64n) - 1n, 0x6744669825609513n]) {
      assert.equal(client.errno({ command: Command.Flush, cookie }), 0);
      assert.equal(client.errno({ command: Command.Read, length: 10n, cookie }), 0);
    }
  }
});
