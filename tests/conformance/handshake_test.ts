// SPDX-License-Identifier: MIT
// The opening of a connection (proto.md "Fixed newstyle negotiation"): greeting, client flags,
// framing of options, bounds.

import assert from "node:assert/strict";
import { encodeInfoData, encodeOption } from "../../core/nbd/client.ts";
import { ClientFlag, HandshakeFlag, Option, Reply } from "../../core/nbd/wire.ts";
import { concatenated } from "../support/bytes.ts";
import { TestServer } from "../support/server.ts";

const KIBIBYTE = 1024;
const MEBIBYTE = 1024 * 1024;

Deno.test("the greeting offers fixed newstyle and no zeroes", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.connect();
  const flags = await client.greet();
  assert.equal(flags, HandshakeFlag.FixedNewstyle | HandshakeFlag.NoZeroes);
});

Deno.test("an unknown client flag bit drops the connection", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  for (const bit of [0x4, 0x8000, 0x10000, 0x80000000]) {
    await using client = await server.connect();
    await client.greet((ClientFlag.FixedNewstyle | bit) >>> 0);
    await client.closed();
  }
});

Deno.test("a client without fixed newstyle can use EXPORT_NAME", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.connect();
  await client.greet(0);
  await client.send(encodeOption(Option.ExportName));
  const answer = await client.take(8 + 2 + 124);
  assert.equal(new DataView(answer.buffer).getBigUint64(0), 1048576n);
  assert.deepEqual(await client.read(0, 512), new Uint8Array(512));
});

Deno.test("a client without fixed newstyle is dropped at any other option", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.connect();
  await client.greet(0);
  await client.send(encodeOption(Option.List));
  await client.closed();
});

Deno.test("an oldstyle client, which sends requests at once, is dropped", async () => {
  await using server = await TestServer.start(["memory", "1M", "-v"]);
  await using client = await server.connect();
  await client.take(18);
  await client.send(Uint8Array.fromHex("25609513" + "00000000".repeat(6)));
  await client.closed();
  await server.log.match(/unknown flags 0x25609513/);
});

Deno.test("an option with a wrong magic number drops the connection", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.connect();
  await client.greet();
  await client.send(Uint8Array.fromHex("49484156454f5055" + "00000003" + "00000000"));
  await client.closed();
});

Deno.test("a handshake that arrives byte by byte is understood", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.connect();
  await client.greet();
  const option = encodeOption(Option.Go, encodeInfoData(""));
  for (const byte of option) await client.send(Uint8Array.of(byte));
  assert.equal((await client.optionReplies()).at(-1)!.type, Reply.Ack);
  assert.deepEqual(await client.read(0, 16), new Uint8Array(16));
});

Deno.test("options and requests that arrive in one piece are all answered", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.connect();
  const read = Uint8Array.fromHex("25609513" + "0000" + "0000" + "0102030405060708");
  const range = Uint8Array.fromHex("0000000000000000" + "00000010");
  await client.send(concatenated(
    Uint8Array.fromHex("00000003"),
    encodeOption(Option.List),
    encodeOption(77, new Uint8Array(5)),
    encodeOption(Option.Go, encodeInfoData("")),
    read,
    range,
  ));
  await client.take(18);
  assert.equal((await client.optionReplies()).at(-1)!.type, Reply.Ack);
  assert.equal((await client.optionReplies()).at(-1)!.type, Reply.Unsupported);
  assert.equal((await client.optionReplies()).at(-1)!.type, Reply.Ack);
  const answer = await client.take(16 + 16);
  assert.equal(answer.toHex(), "67446698" + "00000000" + "0102030405060708" + "00".repeat(16));
});

const sizes: [string, number][] = [
  ["0 bytes", 0],
  ["4 bytes", 4],
  ["8 KiB", 8 * KIBIBYTE],
  ["1 MiB", MEBIBYTE],
  ["31 MiB", 31 * MEBIBYTE],
  ["33 MiB", 33 * MEBIBYTE],
];
for (const [name, length] of sizes) {
  Deno.test(`an unknown option of ${name} is answered UNSUP in step`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.connect();
    await client.greet();
    assert.equal(await client.ask(0x53414e44, new Uint8Array(length)), Reply.Unsupported);
    assert.equal((await client.option(Option.List)).at(-1)!.type, Reply.Ack);
  });
}

Deno.test("an option that claims 0xffffffff bytes closes the connection at once", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.connect();
  await client.greet();
  await client.send(encodeOption(0x53414e44, new Uint8Array(0), 0xffffffff));
  await client.closed();
});

Deno.test("PEEK_EXPORT, which was withdrawn, is answered UNSUP", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.connect();
  await client.greet();
  assert.equal(await client.ask(Option.PeekExport), Reply.Unsupported);
});

Deno.test("STARTTLS is answered UNSUP and nothing demands TLS", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.connect();
  await client.greet();
  assert.equal(await client.ask(Option.StartTls), Reply.Unsupported);
  assert.equal((await client.option(Option.List)).at(-1)!.type, Reply.Ack);
  assert.equal((await client.option(Option.Go, encodeInfoData(""))).at(-1)!.type, Reply.Ack);
});

Deno.test("as many options as --max-options says are answered, one more ends it", async () => {
  await using server = await TestServer.start(["--max-options=32", "memory", "1M"]);
  await using client = await server.connect();
  await client.greet();
  for (let i = 0; i < 32; i++) assert.equal(await client.ask(1000 + i), Reply.Unsupported);
  await client.send(encodeOption(Option.List));
  await client.closed();
});

Deno.test("error replies to options say why in UTF-8", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.connect();
  await client.greet();
  const [reply] = await client.option(4711);
  const text = new TextDecoder("utf-8", { fatal: true }).decode(reply!.data);
  assert.match(text, /option 4711/);
});
