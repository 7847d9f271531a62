// SPDX-License-Identifier: MIT
// STRUCTURED_REPLY and EXTENDED_HEADERS: which framing comes of them.

import assert from "node:assert/strict";
import { encodeInfoData } from "./client.ts";
import { exportInfo } from "./testing/model_export.ts";
import { Talk } from "./testing/talk.ts";
import { Option, Replies, Reply } from "./wire.ts";

const disk = exportInfo(65536);

function repliesAfter(...options: number[]): Replies {
  const talk = new Talk([disk]);
  for (const option of options) talk.option(option);
  talk.option(Option.Go, encodeInfoData("disk"));
  return talk.server.session.replies;
}

Deno.test("replies are simple unless something else is agreed on", () => {
  assert.equal(repliesAfter(), Replies.Simple);
  assert.equal(repliesAfter(Option.StructuredReply), Replies.Structured);
  assert.equal(repliesAfter(Option.ExtendedHeaders), Replies.Extended);
  assert.equal(repliesAfter(Option.StructuredReply, Option.ExtendedHeaders), Replies.Extended);
});

Deno.test("STRUCTURED_REPLY a second time is invalid and changes nothing", () => {
  const talk = new Talk([disk]);
  assert.deepEqual(talk.types(Option.StructuredReply), [Reply.Ack]);
  assert.deepEqual(talk.types(Option.StructuredReply), [Reply.Invalid]);
  talk.option(Option.Go, encodeInfoData("disk"));
  assert.equal(talk.server.session.replies, Replies.Structured);
});

Deno.test("STRUCTURED_REPLY after EXTENDED_HEADERS is answered with EXT_HEADER_REQD", () => {
  const talk = new Talk([disk]);
  talk.option(Option.ExtendedHeaders);
  assert.deepEqual(talk.types(Option.StructuredReply), [Reply.ExtendedHeadersRequired]);
  talk.option(Option.Go, encodeInfoData("disk"));
  assert.equal(talk.server.session.replies, Replies.Extended);
});

Deno.test("EXTENDED_HEADERS a second time is invalid", () => {
  const talk = new Talk([disk]);
  assert.deepEqual(talk.types(Option.ExtendedHeaders), [Reply.Ack]);
  assert.deepEqual(talk.types(Option.ExtendedHeaders), [Reply.Invalid]);
});

Deno.test("STRUCTURED_REPLY and EXTENDED_HEADERS with data are invalid, in step, without effect", () => {
  for (const option of [Option.StructuredReply, Option.ExtendedHeaders]) {
    const talk = new Talk([disk]);
    assert.deepEqual(talk.types(option, new Uint8Array(1)), [Reply.Invalid]);
    assert.deepEqual(talk.types(option, new Uint8Array(100_000)), [Reply.Invalid]);
    talk.assertInStep();
    talk.option(Option.Go, encodeInfoData("disk"));
    assert.equal(talk.server.session.replies, Replies.Simple);
  }
});
