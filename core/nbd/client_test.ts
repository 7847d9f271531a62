// SPDX-License-Identifier: MIT
// The client's side against the server's, and against servers that misbehave.

import assert from "node:assert/strict";
import { ByteWriter } from "./bytes.ts";
import {
  Answer,
  ByteQueue,
  ClientNegotiation,
  type ClientRequest,
  type ClientWishes,
  ProtocolError,
  type ServerReply,
  takeGreeting,
  takeOptionReply,
  takeReply,
} from "./client.ts";
import { Loopback } from "./testing/loopback.ts";
import { exportInfo, ModelDirectory } from "./testing/model_export.ts";
import { Replies } from "./wire.ts";
import { OPTION_TABLE } from "./options.ts";
import { Negotiation } from "./negotiation.ts";

const infos = [
  exportInfo(65536, { name: "disk", description: "a disk" }),
  exportInfo(512, { name: "other" }),
];

/** Lets both sides talk until neither has anything to say. */
function negotiate(wishes: ClientWishes, without: number[] = []): ClientNegotiation {
  const directory = new ModelDirectory(infos);
  const options = new Map([...OPTION_TABLE].filter(([option]) => !without.includes(option)));
  const limits = { optionsMax: 20 };
  const server = new Negotiation({ directory, limits, options, peer: "test" });
  const client = new ClientNegotiation(wishes);
  client.receive(server.greeting());
  for (let round = 0; round < 20; round++) {
    for (const message of client.takeOutput()) server.receive(message);
    client.receive(server.takeOutput());
  }
  return client;
}

Deno.test("client gets the best that the server has", () => {
  const { state, agreement } = negotiate({ exportName: "", contexts: ["base:allocation"] });
  assert.equal(state, "done");
  assert.equal(agreement.replies, Replies.Extended);
  assert.deepEqual(agreement.contexts, [{ id: 1, name: "base:allocation" }]);
  assert.deepEqual([agreement.size, agreement.name, agreement.description], [
    65536n,
    "disk",
    "a disk",
  ]);
  assert.deepEqual(agreement.blockSize, { minimum: 1, preferred: 4096, maximum: 1 << 25 });
});

Deno.test("client falls back to structured, to simple, to EXPORT_NAME", () => {
  assert.equal(negotiate({ exportName: "" }, [11]).agreement.replies, Replies.Structured);
  assert.equal(negotiate({ exportName: "" }, [11, 8]).agreement.replies, Replies.Simple);
  const old = negotiate({ exportName: "other" }, [6, 7, 8, 9, 10, 11]);
  assert.deepEqual([old.state, old.agreement.size], ["done", 512n]);
});

Deno.test("client takes no more than it wishes", () => {
  for (const replies of [Replies.Simple, Replies.Structured, Replies.Extended]) {
    assert.equal(negotiate({ exportName: "", replies }).agreement.replies, replies);
  }
});

Deno.test("client tells why it was refused", () => {
  const client = negotiate({ exportName: "nope" });
  assert.equal(client.state, "failed");
  assert.match(client.failure, /"nope": it does not exist/);
});

Deno.test("client lists exports and asks for information without entering transmission", () => {
  const list = negotiate({ exportName: "", goal: "list" });
  assert.deepEqual([list.state, list.agreement.exports.map(({ name }) => name)], [
    "done",
    ["disk", "other"],
  ]);
  const info = negotiate({ exportName: "other", goal: "info" });
  assert.deepEqual([info.state, info.agreement.size], ["done", 512n]);
});

Deno.test("what comes behind the handshake is kept for transmission", () => {
  const server = new Loopback(new ModelDirectory(infos));
  const client = new ClientNegotiation({ exportName: "", replies: Replies.Simple });
  client.receive(server.takeOutput());
  for (const message of client.takeOutput()) server.receive(message);
  const output = new ByteWriter().bytes(server.takeOutput()).bytes(new Uint8Array([1, 2, 3]));
  client.receive(output.finish());
  assert.equal(client.state, "done");
  assert.deepEqual([...client.takeRest()], [1, 2, 3]);
});

function queued(bytes: Uint8Array): ByteQueue {
  const queue = new ByteQueue();
  queue.push(bytes);
  return queue;
}

Deno.test("what is no NBD server is not taken for one", () => {
  assert.throws(() => takeGreeting(queued(new Uint8Array(18))), /not an NBD server/);
  const oldstyle = new ByteWriter().u64(0x4e42444d41474943n).u64(0x00420281861253n).u16(0);
  assert.throws(() => takeGreeting(queued(oldstyle.finish())), /does not speak newstyle/);
  assert.throws(() => takeOptionReply(queued(new Uint8Array(20))), ProtocolError);
});

const none = { readLength: () => null };

function structured(flags: number, type: number, payload: Uint8Array): Uint8Array {
  const chunk = new ByteWriter().u32(0x668e33ef).u16(flags).u16(type).u64(1n);
  return chunk.u32(payload.length).bytes(payload).finish();
}

Deno.test("chunks that the protocol does not allow are refused", () => {
  const bad: [number, number, Uint8Array][] = [
    [0, 0, new Uint8Array(0)],
    [1, 0, new Uint8Array(1)],
    [1, 1, new Uint8Array(8)],
    [1, 2, new Uint8Array(12)],
    [1, 2, new Uint8Array(13).fill(1)],
    [1, 3, new Uint8Array(12).fill(1)],
    [1, 5, new Uint8Array(4)],
    [1, 5, new Uint8Array(12)],
    [1, 5, new Uint8Array(13).fill(1)],
    [1, 6, new Uint8Array(24).fill(1)],
    [1, 0x8001, new Uint8Array(6)],
    [1, 0x8001, new Uint8Array([0, 0, 0, 5, 0, 9])],
    [1, 0x8001, new Uint8Array([0, 0, 0, 5, 0, 1, 0xff])],
    [1, 0x8002, new Uint8Array([0, 0, 0, 5, 0, 0])],
  ];
  for (const [flags, type, payload] of bad) {
    const queue = queued(structured(flags, type, payload));
    assert.throws(() => takeReply(queue, Replies.Structured, none), ProtocolError);
  }
});

Deno.test("replies of the wrong kind are refused", () => {
  const simple = new ByteWriter().u32(0x67446698).u32(0).u64(1n).finish();
  assert.throws(() => takeReply(queued(simple), Replies.Extended, none), ProtocolError);
  const pending = { readLength: () => 5 };
  assert.throws(() => takeReply(queued(simple), Replies.Structured, pending), ProtocolError);
  const chunk = structured(1, 0, new Uint8Array(0));
  assert.throws(() => takeReply(queued(chunk), Replies.Simple, none), ProtocolError);
  assert.throws(() => takeReply(queued(chunk), Replies.Extended, none), ProtocolError);
});

Deno.test("incomplete reply is waited for", () => {
  const chunk = structured(1, 1, new Uint8Array(20));
  for (let length = 0; length < chunk.length; length++) {
    assert.equal(takeReply(queued(chunk.subarray(0, length)), Replies.Structured, none), null);
  }
  assert.notEqual(takeReply(queued(chunk), Replies.Structured, none), null);
});

type Content = ServerReply["content"];

/** Gives `contents` to the answer of a request, the last one as the last. */
function assemble(request: ClientRequest, ...contents: Content[]): Answer {
  const answer = new Answer(request);
  for (const [index, content] of contents.entries()) {
    const done = index === contents.length - 1;
    answer.add({ cookie: 1n, done, requestOffset: null, type: 1, content });
  }
  return answer;
}

Deno.test("answers that contradict themselves are refused", () => {
  const read = { command: 0, offset: 100n, length: 10n };
  const data = (offset: number, length: number): Content => {
    return { kind: "data", offset: BigInt(offset), bytes: new Uint8Array(length) };
  };
  const error = (offset: number | null): Content => {
    return {
      kind: "error",
      errno: 5,
      message: "",
      offset: offset === null ? null : BigInt(offset),
    };
  };
  const status: Content = { kind: "status", contextId: 1, extents: [{ length: 1n, flags: 0n }] };
  assert.equal(assemble(read, data(100, 5), data(105, 5)).errno, 0);
  assert.equal(assemble(read, data(100, 10), error(105)).errno, 5);
  const bad: [ClientRequest, Content[], RegExp][] = [
    [read, [data(99, 5)], /outside the request/],
    [read, [data(105, 6)], /outside the request/],
    [read, [data(100, 6), data(105, 5)], /came before/],
    [read, [data(100, 9)], /9 of 10 bytes/],
    [read, [error(105), data(100, 10)], /content after the error/],
    [read, [error(110)], /an error outside/],
    [read, [error(null), error(105)], /besides a general one/],
    [read, [status], /not asked for/],
    [{ ...read, flags: 4 }, [data(100, 5), data(105, 5)], /more than one content/],
    [{ ...read, command: 1 }, [data(100, 10)], /no read/],
    [{ ...read, command: 7 }, [status, status], /two status chunks/],
    [{ ...read, command: 7 }, [{ kind: "none" }], /no status/],
  ];
  for (const [request, contents, message] of bad) {
    assert.throws(() => assemble(request, ...contents), message);
  }
});
