// SPDX-License-Identifier: MIT
// EXPORT_NAME: its answer, and that it closes where it has none.

import assert from "node:assert/strict";
import { encodeOption } from "./client.ts";
import { exportInfo } from "./testing/model_export.ts";
import { Talk } from "./testing/talk.ts";
import { ClientFlag, Option, Replies } from "./wire.ts";

const disk = exportInfo(0x12345, { name: "disk" });
const encoder = new TextEncoder();

/** The answer to EXPORT_NAME; null where the connection was closed. */
function answer(talk: Talk, name: Uint8Array | string): Uint8Array | null {
  const data = typeof name === "string" ? encoder.encode(name) : name;
  talk.send(encodeOption(Option.ExportName, data));
  return talk.closed ? null : talk.queue.take(talk.queue.length);
}

Deno.test("EXPORT_NAME answers with size, flags and 124 zeroes", () => {
  const bytes = answer(new Talk([disk], { flags: ClientFlag.FixedNewstyle }), "disk")!;
  assert.equal(bytes.length, 134);
  assert.deepEqual([...bytes.subarray(0, 8)], [0, 0, 0, 0, 0, 1, 0x23, 0x45]);
  assert.ok(bytes.subarray(10).every((byte) => byte === 0));
});

Deno.test("EXPORT_NAME answers without the zeroes where the client wants none", () => {
  assert.equal(answer(new Talk([disk]), "disk")!.length, 10);
});

Deno.test("EXPORT_NAME with an empty name means the default export", () => {
  const talk = new Talk([disk]);
  answer(talk, "");
  assert.equal(talk.server.session.exportName, "disk");
});

Deno.test("EXPORT_NAME keeps structured replies", () => {
  const talk = new Talk([disk]);
  talk.option(Option.StructuredReply);
  answer(talk, "");
  assert.equal(talk.server.session.replies, Replies.Structured);
});

Deno.test("EXPORT_NAME of an unknown export closes the connection", () => {
  const talk = new Talk([disk]);
  assert.equal(answer(talk, "nope"), null);
  assert.match(talk.server.reason, /EXPORT_NAME: cannot open export "nope"/);
});

Deno.test("EXPORT_NAME with a name that is none closes the connection", () => {
  const names = ["a\0b", new Uint8Array([0xff]), new Uint8Array(4097).fill(97)];
  for (const name of names) assert.equal(answer(new Talk([disk]), name), null);
});

Deno.test("EXPORT_NAME after EXTENDED_HEADERS closes the connection", () => {
  const talk = new Talk([disk]);
  talk.option(Option.ExtendedHeaders);
  assert.equal(answer(talk, "disk"), null);
});

Deno.test("EXPORT_NAME of an export with other than default block sizes closes the connection", () => {
  const blockSize = { minimum: 4096, preferred: 4096, maximum: 1 << 25 };
  const talk = new Talk([exportInfo(8192, { blockSize })]);
  assert.equal(answer(talk, "disk"), null);
  assert.deepEqual(talk.directory.opened.map(({ closed }) => closed), [true]);
});
