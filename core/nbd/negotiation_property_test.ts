// SPDX-License-Identifier: MIT
// Whatever a client haggles, and in whatever pieces it arrives, the server says the same.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { encodeClientFlags, encodeContextData, encodeInfoData, encodeOption } from "./client.ts";
import { exportInfo } from "./testing/model_export.ts";
import { Loopback } from "./testing/loopback.ts";
import { ModelDirectory } from "./testing/model_export.ts";
import { Talk } from "./testing/talk.ts";
import { Option, Reply } from "./wire.ts";

const infos = [
  exportInfo(65536, { name: "disk", description: "a disk" }),
  exportInfo(4096, {
    name: "blocks",
    blockSize: { minimum: 512, preferred: 4096, maximum: 1 << 20 },
  }),
];

const name = fc.oneof(fc.constantFrom("", "disk", "blocks"), fc.string({ maxLength: 8 }));
const data = fc.oneof(
  fc.constant(new Uint8Array(0)),
  fc.uint8Array({ maxLength: 40 }),
  fc.nat(70_000).map((length) => new Uint8Array(length)),
  fc.tuple(name, fc.array(fc.nat(4), { maxLength: 5 })).map(([n, infos]) =>
    encodeInfoData(n, infos)
  ),
  fc.tuple(name, fc.array(fc.constantFrom("base:", "base:allocation", "x"), { maxLength: 3 }))
    .map(([n, queries]) => encodeContextData(n, queries)),
);
const anyNumber = fc.oneof(fc.constantFrom(...Object.values(Option)), fc.nat(0xffffffff));
const anyOption = fc.tuple(anyNumber, data).map(([option, bytes]) => encodeOption(option, bytes));

/** All that the server says and becomes when it gets `stream` in pieces of these lengths. */
function run(stream: Uint8Array, lengths: () => number) {
  const server = new Loopback(new ModelDirectory(infos));
  const output: Uint8Array[] = [];
  for (let at = 0; at < stream.length && !server.closed;) {
    const length = Math.min(lengths(), stream.length - at);
    // A copy that is wiped afterwards: nothing may refer to the bytes of the caller.
    const piece = new Uint8Array(stream.subarray(at, at + length));
    server.receive(piece);
    piece.fill(0xee);
    output.push(server.takeOutput());
    at += length;
  }
  output.push(server.takeOutput());
  const { state, session } = server.negotiation;
  return {
    output: Buffer.concat(output).toHex(),
    state,
    reason: server.reason,
    agreed: session && [session.exportName, session.replies, session.flags, session.metaContexts],
  };
}

const stream = fc.tuple(
  fc.constantFrom(0, 1, 2, 3, 3, 3, 3, 4),
  fc.array(anyOption, { maxLength: 8 }),
  fc.uint8Array({ maxLength: 50 }),
).map(([flags, options, tail]) => Buffer.concat([encodeClientFlags(flags), ...options, tail]));

Deno.test("bytes may arrive in pieces of any size", () => {
  const pieces = fc.infiniteStream(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(9999)));
  fc.assert(
    fc.property(stream, pieces, (bytes, lengths) => {
      const whole = run(bytes, () => bytes.length);
      assert.deepEqual(run(bytes, () => lengths.next().value), whole);
      if (bytes.length < 2000) assert.deepEqual(run(bytes, () => 1), whole);
    }),
    { numRuns: 300 },
  );
});

const FINISHING = new Set<number>([Option.ExportName, Option.Go, Option.Abort]);
const haggling = fc.tuple(anyNumber.filter((option) => !FINISHING.has(option)), data);

Deno.test("every option gets its replies and one final one, in step", () => {
  fc.assert(
    fc.property(fc.array(haggling, { maxLength: 12 }), (options) => {
      const talk = new Talk(infos);
      for (const [option, bytes] of options) {
        const types = talk.types(option, bytes);
        assert.ok(!talk.closed);
        const final = types.filter((type) => type === Reply.Ack || type >= 0x80000000);
        assert.equal(final.length, 1);
        assert.equal(types.at(-1), final[0]);
      }
      talk.assertInStep();
    }),
    { numRuns: 300 },
  );
});

Deno.test("no handshake leaves more than one export open, or one closed twice", () => {
  fc.assert(
    fc.property(stream, (bytes) => {
      const directory = new ModelDirectory(infos);
      const server = new Loopback(directory);
      server.receive(bytes);
      const open = directory.opened.filter(({ closed }) => !closed);
      assert.ok(open.length <= 1);
      server.negotiation.abandon();
      const left = directory.opened.filter(({ closed }) => !closed);
      assert.deepEqual(left, server.negotiation.session ? [server.export] : []);
    }),
    { numRuns: 300 },
  );
});
