// SPDX-License-Identifier: MIT
// Answers to BLOCK_STATUS: extents clipped, merged, aligned, in both forms.

import assert from "node:assert/strict";
import { Errno } from "../block/errno.ts";
import type { BlockSize } from "../block/export.ts";
import { Command, type Request } from "../block/request.ts";
import { encodeStatusPayload } from "./client.ts";
import { Client } from "./testing/talk.ts";
import { exportInfo } from "./testing/model_export.ts";
import { CommandFlag, Replies } from "./wire.ts";

const { BlockStatus } = Command;
const EACH = [Replies.Structured, Replies.Extended];

interface Case {
  replies?: Replies;
  length?: bigint;
  flags?: number;
  minimum?: number;
}

function client({ replies = Replies.Extended, minimum = 1 }: Case): Client {
  const blockSize: BlockSize = { minimum, preferred: 4096, maximum: 1 << 25 };
  return new Client(exportInfo(65536, { blockSize }), { replies, contexts: true });
}

/** Lengths and flags that the client is told when the device says `extents`. */
function status(extents: [number, number][], options: Case = {}): [number, number][] {
  const made = client(options);
  made.export.answer = (request) => {
    for (const [length, flags] of extents) request.extent(0, length, flags);
    return 0;
  };
  const { length = 8192n, flags = 0 } = options;
  const answer = made.ask({ command: BlockStatus, length, flags })!;
  assert.equal(answer.errno, 0);
  assert.equal(made.server.lie, "");
  return answer.extents.get(1)!.map(({ length, flags }) => [Number(length), Number(flags)]);
}

Deno.test("BLOCK_STATUS tells what is allocated", () => {
  for (const replies of EACH) {
    const made = client({ replies });
    made.export.write(1024, new Uint8Array(512));
    const answer = made.ask({ command: BlockStatus, offset: 512n, length: 65024n })!;
    assert.deepEqual([...answer.extents.keys()], [1]);
    assert.deepEqual(answer.extents.get(1), [
      { length: 512n, flags: 3n },
      { length: 512n, flags: 0n },
      { length: 64000n, flags: 3n },
    ]);
  }
});

Deno.test("each context that was selected, or asked for, has a chunk of its own", () => {
  const made = client({});
  const metaContexts = [1, 7, 9].map((id) => ({ id, name: `x-test:${id}` }));
  const session = { ...made.server.session, metaContexts };
  Object.defineProperty(made.server, "session", { value: session });
  const contexts = (ids: number[]) => {
    const payload = ids.length > 0 ? encodeStatusPayload(512n, ids) : undefined;
    const flags = payload ? CommandFlag.PayloadLength : 0;
    const request = { command: BlockStatus, flags, length: 512n };
    const answer = made.ask(payload ? { command: BlockStatus, flags, payload } : request)!;
    return answer.errno === 0 ? [...answer.extents.keys()] : answer.errno;
  };
  assert.deepEqual(contexts([]), [1, 7, 9]);
  assert.deepEqual(contexts([9, 1]), [1, 9]);
  assert.deepEqual(contexts([7]), [7]);
  assert.equal(contexts([7, 7]), Errno.EINVAL);
  assert.equal(contexts([1, 2]), Errno.EINVAL);
  assert.equal(contexts([1, 7, 9, 1]), Errno.EINVAL);
});

Deno.test("unaligned BLOCK_STATUS is answered within the request", () => {
  const made = client({});
  const answer = made.ask({ command: BlockStatus, offset: 3n, length: 7n })!;
  assert.deepEqual(answer.extents.get(1), [{ length: 7n, flags: 3n }]);
});

Deno.test("extents are clipped to the request", () => {
  assert.deepEqual(status([[4096, 0], [100000, 3], [512, 0]]), [[4096, 0], [4096, 3]]);
});

Deno.test("answer may end before the request does", () => {
  assert.deepEqual(status([[512, 2]]), [[512, 2]]);
});

Deno.test("neighbours with the same flags are one extent", () => {
  assert.deepEqual(status([[512, 3], [512, 3], [512, 1], [512, 3]]), [
    [1024, 3],
    [512, 1],
    [512, 3],
  ]);
});

Deno.test("REQ_ONE gives one extent, merged and within the request", () => {
  const flags = CommandFlag.ReqOne;
  for (const replies of EACH) {
    assert.deepEqual(status([[512, 3], [512, 3], [512, 0]], { flags, replies }), [[1024, 3]]);
    assert.deepEqual(status([[1 << 30, 3]], { flags, replies }), [[8192, 3]]);
  }
});

Deno.test("very many extents are all told", () => {
  const extents = Array.from({ length: 8192 }, (_, i): [number, number] => [1, i % 2]);
  for (const replies of EACH) assert.deepEqual(status(extents, { replies }), extents);
});

Deno.test("answer is no larger than the maximum payload: the rest must be asked for again", () => {
  const blockSize: BlockSize = { minimum: 1, preferred: 512, maximum: 512 };
  for (const [replies, count] of [[Replies.Structured, 64], [Replies.Extended, 32]] as const) {
    const made = new Client(exportInfo(65536, { blockSize }), { replies, contexts: true });
    made.export.answer = (request) => {
      for (let i = 0; i < 100; i++) request.extent(0, 10, i % 2);
      return 0;
    };
    const answer = made.ask({ command: BlockStatus, length: 1000n })!;
    assert.deepEqual(answer.extents.get(1)!.map(({ length }) => length), Array(count).fill(10n));
  }
});

Deno.test("extents are multiples of the minimum block size, saying what holds for all of a block", () => {
  const minimum = 512;
  assert.deepEqual(status([[500, 3], [12, 1], [512, 0]], { minimum }), [[512, 1], [512, 0]]);
  assert.deepEqual(status([[700, 3], [8192, 0]], { minimum }), [[512, 3], [7680, 0]]);
  assert.deepEqual(status([[1, 3], [1, 3], [1, 3]], { minimum }), [[512, 0]]);
  assert.deepEqual(status([[8191, 3], [1, 3]], { minimum }), [[8192, 3]]);
  assert.deepEqual(status([[1025, 3], [2, 0], [7165, 3]], { minimum }), [
    [1024, 3],
    [512, 0],
    [6656, 3],
  ]);
});

Deno.test("extents beyond 4 GiB are exact in the extended form", () => {
  const made = client({});
  const size = (1n << 63n) - 1n;
  Object.assign(made.export.info, { sizeHigh: 0x7fffffff, sizeLow: 0xffffffff });
  made.export.answer = (request) => {
    request.extent(0x40000000, 0xffffffff, 3);
    request.extent(0, 2, 3);
    request.extent(0x7fffffff, 0xffffffff, 0);
    return 0;
  };
  const answer = made.ask({ command: BlockStatus, length: size })!;
  const first = (1n << 62n) + (1n << 32n) + 1n;
  assert.deepEqual(answer.extents.get(1), [
    { length: first, flags: 3n },
    { length: size - first, flags: 0n },
  ]);
});

Deno.test("error of the device fails BLOCK_STATUS", () => {
  const made = client({});
  made.export.answer = () => Errno.EIO;
  assert.equal(made.errno({ command: BlockStatus, length: 512n }), Errno.EIO);
});

const lies: [string, (request: Request) => void, RegExp][] = [
  ["no extents", () => {}, /there are no extents/],
  ["an empty extent", (r) => r.extent(0, 0, 0), /extent 0 has length 0/],
  ["unknown flags", (r) => r.extent(0, 512, 4), /extent 0 has flags 4/],
  ["flags that are no number", (r) => r.extent(0, 512, NaN), /flags NaN/],
  ["a negative length", (r) => r.extent(0, -1, 0), /length -1/],
  ["a lie behind the end of the request", (r) => {
    r.extent(0, 8192, 0);
    r.extent(0, 0, 0);
  }, /extent 1 has length 0/],
  ["data", (r) => r.data(0, 4096, 8192, true), /piece 0 is not an extent/],
];

for (const [what, answer, text] of lies) {
  Deno.test(`BLOCK_STATUS answered with ${what} is EIO and told`, () => {
    const made = client({});
    made.export.answer = (request) => {
      answer(request);
      return 0;
    };
    assert.equal(made.errno({ command: BlockStatus, length: 8192n }), Errno.EIO);
    assert.match(made.server.lie, text);
  });
}
