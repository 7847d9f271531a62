// SPDX-License-Identifier: MIT
// The framing of the handshake: greeting, client flags, lengths, bounds, staying in step.

import assert from "node:assert/strict";
import { encodeClientFlags, encodeInfoData, encodeOption } from "./client.ts";
import { OPTION_LENGTH_MAX, OUTPUT_PENDING_MAX } from "./limits.ts";
import { Negotiation } from "./negotiation.ts";
import { exportInfo, ModelDirectory } from "./testing/model_export.ts";
import { Talk } from "./testing/talk.ts";
import { withoutData } from "./option_table.ts";
import { OPTION_TABLE } from "./options.ts";
import { ClientFlag, Option, Reply } from "./wire.ts";

const disk = exportInfo(65536);
const decoder = new TextDecoder();

function negotiation(optionsMax = 10, options = OPTION_TABLE): Negotiation {
  const directory = new ModelDirectory([disk]);
  return new Negotiation({ directory, limits: { optionsMax }, options, peer: "test" });
}

Deno.test("greeting offers fixed newstyle without zeroes and nothing else", () => {
  const greeting = negotiation().greeting();
  assert.equal(decoder.decode(greeting.subarray(0, 16)), "NBDMAGICIHAVEOPT");
  assert.deepEqual([...greeting.subarray(16)], [0, 3]);
});

Deno.test("unknown client flag closes the connection", () => {
  for (const flag of [0x4, 0x80000000, 0x10000]) {
    const talk = new Talk([disk], { flags: ClientFlag.FixedNewstyle | flag });
    assert.ok(talk.closed);
    assert.match(talk.server.reason, /unknown flags/);
  }
});

Deno.test("client without fixed newstyle can only send EXPORT_NAME", () => {
  for (const option of [Option.List, Option.Go, Option.Abort, 99]) {
    const talk = new Talk([disk], { flags: 0 });
    assert.deepEqual(talk.types(option), []);
    assert.ok(talk.closed);
  }
  const talk = new Talk([disk], { flags: 0 });
  talk.send(encodeOption(Option.ExportName));
  assert.equal(talk.server.negotiation.state, "transmission");
});

Deno.test("unknown option with 0 B to 33 MiB of data is answered with UNSUP in step", () => {
  for (const length of [0, 4, 8192, 1 << 20, 31 << 20, 33 << 20]) {
    const talk = new Talk([disk]);
    assert.deepEqual(talk.types(4711, new Uint8Array(length)), [Reply.Unsupported]);
    talk.assertInStep();
  }
});

Deno.test("option of 0xffffffff bytes closes the connection at once", () => {
  for (const option of [4711, Option.Go, Option.List, Option.Abort]) {
    const talk = new Talk([disk]);
    assert.deepEqual(talk.types(option, new Uint8Array(0), 0xffffffff), []);
    assert.ok(talk.closed);
  }
});

Deno.test("longest option is skipped, one byte more closes the connection", () => {
  const talk = new Talk([disk]);
  talk.send(encodeOption(4711, new Uint8Array(0), OPTION_LENGTH_MAX));
  assert.ok(!talk.closed);
  const longer = new Talk([disk]);
  longer.send(encodeOption(4711, new Uint8Array(0), OPTION_LENGTH_MAX + 1));
  assert.ok(longer.closed);
});

Deno.test("PEEK_EXPORT is not supported", () => {
  const talk = new Talk([disk]);
  assert.deepEqual(talk.types(Option.PeekExport, new Uint8Array(5)), [Reply.Unsupported]);
  talk.assertInStep();
});

Deno.test("STARTTLS is not supported, with data or without", () => {
  const talk = new Talk([disk]);
  assert.deepEqual(talk.types(Option.StartTls), [Reply.Unsupported]);
  assert.deepEqual(talk.types(Option.StartTls, new Uint8Array(7)), [Reply.Unsupported]);
  talk.assertInStep();
});

Deno.test("error replies carry a text", () => {
  const [reply] = new Talk([disk]).option(4711);
  assert.equal(decoder.decode(reply!.data), "option 4711 is not known here");
});

Deno.test("wrong option magic closes the connection", () => {
  const talk = new Talk([disk]);
  const message = encodeOption(Option.List);
  message[7]! ^= 1;
  talk.send(message);
  assert.ok(talk.closed);
});

Deno.test("one option more than the limit closes the connection", () => {
  const talk = new Talk([disk], { optionsMax: 3 });
  for (let i = 0; i < 3; i++) assert.deepEqual(talk.types(4711), [Reply.Unsupported]);
  assert.deepEqual(talk.types(4711), []);
  assert.match(talk.server.reason, /more than 3 options/);
});

Deno.test("ABORT is acknowledged and ends the connection, data ignored", () => {
  for (const length of [0, 100]) {
    const talk = new Talk([disk]);
    assert.deepEqual(talk.types(Option.Abort, new Uint8Array(length)), [Reply.Ack]);
    assert.ok(talk.closed);
  }
});

Deno.test("consumes nothing behind GO", () => {
  const n = negotiation();
  const go = encodeOption(Option.Go, encodeInfoData("disk"));
  const bytes = new Uint8Array(4 + go.length + 5);
  bytes.set(encodeClientFlags(3));
  bytes.set(go, 4);
  assert.equal(n.receive(bytes), 4 + go.length);
  assert.equal(n.state, "transmission");
  assert.equal(n.receive(bytes), 0);
});

Deno.test("output that nobody takes stops the consumption of options", () => {
  const infos = Array.from({ length: 2000 }, (_, i) => exportInfo(1, { name: `export-${i}` }));
  const directory = new ModelDirectory(infos);
  const n = new Negotiation({ directory, limits: { optionsMax: 1000 }, peer: "test" });
  n.receive(encodeClientFlags(3));
  const list = encodeOption(Option.List);
  const many = new Uint8Array(list.length * 100);
  for (let i = 0; i < 100; i++) many.set(list, i * list.length);
  let consumed = 0;
  let largest = 0;
  for (let round = 0; consumed < many.length; round++) {
    assert.ok(round < 200, "no progress");
    consumed += n.receive(many.subarray(consumed));
    largest = Math.max(largest, n.takeOutput().length);
  }
  assert.ok(largest > OUTPUT_PENDING_MAX);
  assert.ok(largest < OUTPUT_PENDING_MAX + 2000 * 40);
});

Deno.test("shutdown answers options with ERR_SHUTDOWN and still acknowledges ABORT", () => {
  const talk = new Talk([disk]);
  talk.server.negotiation.shutdown();
  assert.deepEqual(talk.types(Option.Go, encodeInfoData("disk")), [Reply.Shutdown]);
  assert.deepEqual(talk.types(4711), [Reply.Shutdown]);
  assert.deepEqual(talk.types(Option.Abort), [Reply.Ack]);
  assert.equal(talk.directory.opened.length, 0);
});

Deno.test("shutdown closes on EXPORT_NAME, which has no error reply", () => {
  const talk = new Talk([disk]);
  talk.server.negotiation.shutdown();
  assert.deepEqual(talk.types(Option.ExportName), []);
  assert.ok(talk.closed);
});

Deno.test("abandoning a handshake closes the export that INFO has opened", () => {
  const talk = new Talk([disk]);
  talk.option(Option.Info, encodeInfoData("disk"));
  talk.server.negotiation.abandon();
  assert.deepEqual(talk.directory.opened.map(({ closed }) => closed), [true]);
});

Deno.test("abandoning after the handshake leaves the export to the session", () => {
  const talk = new Talk([disk]);
  talk.option(Option.Go, encodeInfoData("disk"));
  talk.server.negotiation.abandon();
  assert.deepEqual(talk.directory.opened.map(({ closed }) => closed), [false]);
  assert.equal(talk.server.negotiation.state, "transmission");
});

Deno.test("table of options can be extended and replaced in", () => {
  const table = new Map(OPTION_TABLE);
  table.set(0x7001, withoutData("HELLO", (haggle) => haggle.fail(Reply.Policy, haggle.peer)));
  table.delete(Option.List);
  const n = negotiation(10, table);
  n.receive(encodeClientFlags(3));
  n.receive(encodeOption(0x7001));
  assert.deepEqual([...n.takeOutput().subarray(8, 24)], [
    ...[0, 0, 0x70, 1],
    ...[0x80, 0, 0, 2],
    ...[0, 0, 0, 4],
    ...new TextEncoder().encode("test"),
  ]);
  n.receive(encodeOption(Option.List));
  assert.equal(n.takeOutput()[15], 1);
});

Deno.test("data that is too long for a handler is skipped and answered with TOO_BIG", () => {
  const seen: number[] = [];
  const table = new Map(OPTION_TABLE);
  table.set(0x7001, {
    name: "SHORT",
    dataMax: 3,
    handle: (haggle, data) => {
      seen.push(data.length);
      haggle.reply(Reply.Ack);
    },
  });
  const n = negotiation(10, table);
  n.receive(encodeClientFlags(3));
  for (const length of [3, 4, 0]) n.receive(encodeOption(0x7001, new Uint8Array(length)));
  const view = new DataView(n.takeOutput().buffer);
  assert.deepEqual([view.getUint32(12), view.getUint32(20 + 12)], [Reply.Ack, Reply.TooBig]);
  assert.deepEqual(seen, [3, 0]);
});
