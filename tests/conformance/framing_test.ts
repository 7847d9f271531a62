// SPDX-License-Identifier: MIT
// STRUCTURED_REPLY and EXTENDED_HEADERS (proto.md "Option types", and its extension-ext-header
// branch): how the framing of replies is agreed on.

import assert from "node:assert/strict";
import { Command } from "../../core/block/request.ts";
import { encodeInfoData, encodeOption, encodeRequest } from "../../core/nbd/client.ts";
import { Option, Replies, Reply, REQUEST_MAGIC } from "../../core/nbd/wire.ts";
import { TestServer } from "../support/server.ts";

for (const name of ["StructuredReply", "ExtendedHeaders"] as const) {
  Deno.test(`${name} is acknowledged once and INVALID the second time`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.connect();
    await client.greet();
    assert.equal(await client.ask(Option[name]), Reply.Ack);
    assert.equal(await client.ask(Option[name]), Reply.Invalid);
    const replies = await client.option(Option.Go, encodeInfoData(""));
    assert.equal(replies.at(-1)!.type, Reply.Ack);
  });

  Deno.test(`${name} with data is INVALID in step and changes nothing`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.connect();
    await client.greet();
    assert.equal(await client.ask(Option[name], new Uint8Array(7)), Reply.Invalid);
    await client.option(Option.Go, encodeInfoData(""));
    // Replies are simple ones still.
    assert.deepEqual(await client.read(0, 4), new Uint8Array(4));
  });
}

Deno.test("STRUCTURED_REPLY after EXTENDED_HEADERS is answered EXT_HEADER_REQD", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.connect();
  await client.greet();
  assert.equal(await client.ask(Option.ExtendedHeaders), Reply.Ack);
  assert.equal(await client.ask(Option.StructuredReply), Reply.ExtendedHeadersRequired);
});

Deno.test("EXTENDED_HEADERS after STRUCTURED_REPLY takes precedence", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.connect();
  await client.greet();
  assert.equal(await client.ask(Option.StructuredReply), Reply.Ack);
  assert.equal(await client.ask(Option.ExtendedHeaders), Reply.Ack);
  await client.option(Option.Go, encodeInfoData(""));
  client.replies = Replies.Extended;
  assert.deepEqual(await client.read(0, 4), new Uint8Array(4));
});

Deno.test("EXPORT_NAME after EXTENDED_HEADERS, which is forbidden, ends the connection", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.connect();
  await client.greet();
  await client.option(Option.ExtendedHeaders);
  await client.send(encodeOption(Option.ExportName));
  await client.closed();
});

Deno.test("without either every reply is a simple one", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.client({ replies: Replies.Simple });
  for (const command of [Command.Read, Command.Flush, Command.Trim, 99]) {
    await client.post({ command, length: 16n });
    assert.equal((await client.reply()).type, null);
  }
});

Deno.test("with structured replies each READ is answered by chunks, failed or not", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.client({ replies: Replies.Structured });
  for (const [offset, length] of [[0n, 16n], [0n, 0n], [5_000_000n, 1n], [0n, 0xffffffffn]]) {
    await client.post({ command: Command.Read, offset: offset!, length: length! });
    assert.notEqual((await client.reply()).type, null);
  }
});

Deno.test("with extended headers every reply has the cookie and the offset of its request", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.client({ contexts: ["base:allocation"] });
  const requests = [
    { command: Command.Read, length: 16n },
    { command: Command.Write, payload: new Uint8Array(16) },
    { command: Command.Flush },
    { command: Command.Trim, length: 16n },
    { command: Command.WriteZeroes, length: 16n },
    { command: Command.BlockStatus, length: 16n },
    { command: 99, length: 16n },
    { command: Command.Read, length: 5_000_000n },
    { command: Command.Flush, flags: 0x8000 },
  ];
  for (const [index, request] of requests.entries()) {
    const offset = BigInt(512 * index);
    const cookie = 0xfedcba9876543210n + BigInt(index);
    // The client fails where magic, cookie or offset are not what they have to be.
    const answer = await client.request({ ...request, offset, cookie });
    assert.ok(answer.done);
  }
});

Deno.test("after EXTENDED_HEADERS a compact request drops the connection", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.client();
  await client.send(encodeRequest({ command: Command.Flush, magic: REQUEST_MAGIC }, 2));
  await client.closed();
});

Deno.test("an extended request without EXTENDED_HEADERS drops the connection", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  for (const replies of [Replies.Simple, Replies.Structured]) {
    await using client = await server.client({ replies });
    await client.send(encodeRequest({ command: Command.Flush }, Replies.Extended));
    await client.closed();
  }
});

Deno.test("a request with a wrong magic number drops the connection after what came before", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  for (const magic of [0x12560953, 0x96744668, 0x25609514, 0]) {
    await using client = await server.client({ replies: Replies.Simple });
    const first = await client.post({ command: Command.Read, length: 512n });
    await client.send(encodeRequest({ command: Command.Flush, magic }, Replies.Simple));
    assert.equal((await client.answer(first)).errno, 0);
    await client.closed();
  }
});
