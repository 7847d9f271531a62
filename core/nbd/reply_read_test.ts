// SPDX-License-Identifier: MIT
// Answers to READ: chunks, holes, DF, errors within, the tail past the end.

import assert from "node:assert/strict";
import { Errno } from "../block/errno.ts";
import { Command, type Request } from "../block/request.ts";
import type { Answer } from "./client.ts";
import { READ_PIECES_MAX } from "./limits.ts";
import { exportInfo } from "./testing/model_export.ts";
import { Client } from "./testing/talk.ts";
import { CommandFlag, Replies } from "./wire.ts";

const { Read } = Command;
const CHUNKED = [Replies.Structured, Replies.Extended];
const EACH = [Replies.Simple, ...CHUNKED];
const BASE = 4096;

function client(replies: Replies): Client {
  return new Client(exportInfo(65536), { replies });
}

/** Reads 4096 bytes at 0 of a device that answers as `answer` says. */
function readOf(replies: Replies, answer: (request: Request) => void, flags = 0) {
  const made = client(replies);
  made.export.memory.bytes.fill(7, BASE, BASE + 8192);
  made.export.answer = (request) => {
    answer(request);
    return 0;
  };
  return { made, answer: made.ask({ command: Read, length: 4096n, flags })! };
}

function shape(answer: Answer): [number, number, string][] {
  return answer.content().map(({ offset, length, hole }) => [
    Number(offset),
    Number(length),
    hole ? "hole" : "data",
  ]);
}

function sparse(made: Client): void {
  made.export.write(512, new Uint8Array(512).fill(1));
  made.export.write(2048, new Uint8Array(1024).fill(2));
}

Deno.test("sparse READ is answered with data and holes", () => {
  for (const replies of CHUNKED) {
    const made = client(replies);
    sparse(made);
    const answer = made.ask({ command: Read, offset: 0n, length: 4096n })!;
    assert.deepEqual(shape(answer), [
      [0, 512, "hole"],
      [512, 512, "data"],
      [1024, 1024, "hole"],
      [2048, 1024, "data"],
      [3072, 1024, "hole"],
    ]);
    assert.deepEqual(answer.data(), made.export.data.subarray(0, 4096));
  }
});

Deno.test("READ in the middle has absolute offsets", () => {
  for (const replies of EACH) {
    const made = client(replies);
    sparse(made);
    const answer = made.ask({ command: Read, offset: 700n, length: 2000n })!;
    assert.deepEqual(answer.data(), made.export.data.subarray(700, 2700));
  }
});

Deno.test("sparse READ with simple replies has its zeroes spelled out", () => {
  const made = client(Replies.Simple);
  sparse(made);
  const answer = made.ask({ command: Read, length: 4096n })!;
  assert.deepEqual(answer.data(), made.export.data.subarray(0, 4096));
});

Deno.test("DF: data and holes come in one chunk with the zeroes in it", () => {
  for (const replies of CHUNKED) {
    const made = client(replies);
    sparse(made);
    const answer = made.ask({ command: Read, length: 65536n, flags: CommandFlag.Df })!;
    assert.deepEqual(shape(answer), [[0, 65536, "data"]]);
    assert.deepEqual(answer.data(), made.export.data);
  }
});

Deno.test("DF: nothing but zeroes may be one hole", () => {
  for (const replies of CHUNKED) {
    const answer = client(replies).ask({ command: Read, length: 4096n, flags: CommandFlag.Df })!;
    assert.deepEqual(shape(answer), [[0, 4096, "hole"]]);
  }
});

Deno.test("zeroes that are no hole are sent as a hole too, neighbours in one chunk", () => {
  const { answer } = readOf(Replies.Structured, (request) => {
    request.zero(0, 1000, false);
    request.zero(1000, 1000, true);
    request.data(2000, BASE, 1000, false);
    request.data(3000, BASE + 5000, 1096, true);
  });
  assert.deepEqual(shape(answer), [[0, 2000, "hole"], [2000, 2096, "data"]]);
});

Deno.test("zero-length READ is one NONE chunk, or a simple reply", () => {
  for (const replies of EACH) {
    const answer = client(replies).ask({ command: Read, offset: 5n, length: 0n })!;
    assert.deepEqual([answer.errno, shape(answer)], [0, []]);
  }
});

Deno.test("error of the device fails the whole READ", () => {
  for (const replies of EACH) {
    const made = client(replies);
    made.export.answer = (request) => {
      request.errorText = "medium error";
      return Errno.EIO;
    };
    const answer = made.ask({ command: Read, length: 100n })!;
    const message = replies === Replies.Simple ? "" : "medium error";
    assert.deepEqual(answer.failures, [{ errno: Errno.EIO, message, offset: null }]);
  }
});

Deno.test("part that failed is told by its offset, the rest is delivered", () => {
  for (const replies of CHUNKED) {
    const { answer } = readOf(replies, (request) => {
      request.data(0, BASE, 1024, false);
      request.fail(1024, 1024, Errno.ENXIO);
      request.data(2048, BASE, 2048, false);
      request.errorText = "bad sector";
    });
    assert.deepEqual(shape(answer), [[0, 1024, "data"], [2048, 2048, "data"]]);
    assert.deepEqual(answer.failures, [{ errno: 5, message: "bad sector", offset: 1024n }]);
  }
});

Deno.test("failed part at the end is the last chunk", () => {
  const { answer } = readOf(Replies.Extended, (request) => {
    request.zero(0, 4000, true);
    request.fail(4000, 96, Errno.ENOMEM);
  });
  assert.deepEqual(answer.failures, [{ errno: Errno.ENOMEM, message: "", offset: 4000n }]);
});

Deno.test("text is sent with the first of several errors only", () => {
  const { answer } = readOf(Replies.Structured, (request) => {
    request.fail(0, 2048, Errno.EIO);
    request.fail(2048, 2048, Errno.EPERM);
    request.errorText = "long";
  });
  assert.deepEqual(answer.failures, [
    { errno: Errno.EIO, message: "long", offset: 0n },
    { errno: Errno.EPERM, message: "", offset: 2048n },
  ]);
});

Deno.test("part that failed fails the whole READ with simple replies", () => {
  const { answer } = readOf(Replies.Simple, (request) => {
    request.data(0, BASE, 1024, false);
    request.fail(1024, 3072, Errno.ENOSPC);
  });
  assert.equal(answer.errno, Errno.ENOSPC);
});

Deno.test("DF with a failed part: one padded chunk, then the first error in it", () => {
  for (const replies of CHUNKED) {
    const { answer } = readOf(replies, (request) => {
      request.data(0, BASE, 1024, false);
      request.fail(1024, 1024, Errno.EIO);
      request.zero(2048, 1024, false);
      request.fail(3072, 1024, Errno.EPERM);
    }, CommandFlag.Df);
    assert.deepEqual(shape(answer), [[0, 4096, "data"]]);
    assert.deepEqual(answer.failures, [{ errno: Errno.EIO, message: "", offset: 1024n }]);
    assert.deepEqual(answer.data().subarray(1024), new Uint8Array(3072));
  }
});

Deno.test("READ across the end: the valid part, then an error at the end", () => {
  for (const replies of CHUNKED) {
    const made = client(replies);
    made.export.data.fill(9);
    const request = { command: Read, offset: 65000n, length: 1000n };
    const answer = made.ask(request)!;
    assert.equal(answer.content().reduce((sum, { length }) => sum + length, 0n), 536n);
    const [failure] = answer.failures;
    assert.deepEqual([failure!.errno, failure!.offset], [Errno.EINVAL, 65536n]);
    made.assertInStep();
  }
});

Deno.test("READ across the end with DF: one chunk, then an error at the end", () => {
  for (const replies of CHUNKED) {
    const made = client(replies);
    made.export.write(65024, new Uint8Array(512).fill(1));
    const flags = CommandFlag.Df;
    const answer = made.ask({ command: Read, offset: 64000n, length: 4096n, flags })!;
    assert.deepEqual(shape(answer), [[64000, 1536, "data"]]);
    assert.equal(answer.failures[0]!.offset, 65536n);
  }
});

Deno.test("READ across the end that the device fails has no error with an offset", () => {
  const made = client(Replies.Structured);
  made.export.answer = () => Errno.EIO;
  const answer = made.ask({ command: Read, offset: 65000n, length: 1000n })!;
  assert.deepEqual(answer.failures, [{ errno: Errno.EIO, message: "", offset: null }]);
});

Deno.test("offsets of chunks carry over 32 bits", () => {
  const made = client(Replies.Structured);
  made.export.info.sizeHigh = 2;
  made.export.answer = (request) => {
    request.zero(0, 1024, true);
    request.fail(1024, 1024, Errno.EIO);
    return 0;
  };
  const answer = made.ask({ command: Read, offset: (1n << 32n) - 512n, length: 2048n })!;
  assert.equal(answer.content()[0]!.offset, (1n << 32n) - 512n);
  assert.equal(answer.failures[0]!.offset, (1n << 32n) + 512n);
});

Deno.test("answer in very many pieces is sent as one chunk", () => {
  for (const replies of CHUNKED) {
    const { answer } = readOf(replies, (request) => {
      const width = 4096 / (2 * READ_PIECES_MAX);
      for (let at = 0; at < 4096; at += 2 * width) {
        request.data(at, BASE, width, false);
        request.zero(at + width, width, true);
      }
    });
    assert.deepEqual(shape(answer), [[0, 4096, "data"]]);
  }
});

const lies: [string, (request: Request) => void, RegExp][] = [
  ["no pieces", () => {}, /pieces end at 0, not 4096/],
  ["a gap", (r) => {
    r.data(0, BASE, 10, true);
    r.data(20, BASE, 4076, true);
  }, /piece 1 begins at 20, not 10/],
  ["an overlap", (r) => {
    r.data(0, BASE, 2000, true);
    r.data(1999, BASE, 2097, true);
  }, /piece 1 begins at 1999, not 2000/],
  ["descending order", (r) => {
    r.data(2048, BASE, 2048, true);
    r.data(0, BASE, 2048, true);
  }, /piece 0 begins at 2048, not 0/],
  ["too little", (r) => r.zero(0, 4095, true), /pieces end at 4095, not 4096/],
  ["too much", (r) => r.data(0, BASE, 4097, true), /piece 0 at 0 has length 4097/],
  ["nothing in a piece", (r) => {
    r.data(0, BASE, 4096, true);
    r.zero(4096, 0, true);
  }, /piece 1 at 4096 has length 0/],
  ["a negative length", (r) => r.data(0, BASE, -1, true), /length -1/],
  ["half a byte", (r) => r.data(0, BASE, 0.5, true), /length 0.5/],
  ["no number", (r) => r.data(NaN, BASE, NaN, true), /begins at NaN/],
  ["an extent", (r) => r.extent(0, 4096, 0), /piece 0 is not part of a read/],
  ["an errno of 0", (r) => r.fail(0, 4096, 0), /has errno 0/],
  ["an errno out of range", (r) => r.fail(0, 4096, 134), /has errno 134/],
];

for (const [what, answer, text] of lies) {
  Deno.test(`READ answered with ${what} is EIO and told`, () => {
    for (const replies of EACH) {
      const result = readOf(replies, answer);
      assert.equal(result.answer.errno, Errno.EIO);
      assert.match(result.made.server.lie, text);
      result.made.export.answer = null;
      result.made.assertInStep();
    }
  });
}
