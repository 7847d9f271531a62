// SPDX-License-Identifier: MIT
// ABORT and LIST (proto.md "Option types").

import assert from "node:assert/strict";
import { Option, Reply } from "../../core/nbd/wire.ts";
import type { OptionReply } from "../support/wire_client.ts";
import { TestDirectory } from "../support/directory.ts";
import { TestServer } from "../support/server.ts";

/** Names and descriptions in the replies to LIST. */
function listed(replies: OptionReply[]): { name: string; description: string }[] {
  const text = new TextDecoder("utf-8", { fatal: true });
  return replies.filter(({ type }) => type === Reply.Server).map(({ data }) => {
    const length = new DataView(data.buffer, data.byteOffset).getUint32(0);
    return {
      name: text.decode(data.subarray(4, 4 + length)),
      description: text.decode(data.subarray(4 + length)),
    };
  });
}

Deno.test("ABORT is acknowledged and then the connection closed", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.connect();
  await client.greet();
  assert.equal(await client.ask(Option.Abort), Reply.Ack);
  await client.closed();
});

Deno.test("data of ABORT is ignored, however long", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  for (const length of [1, 1024 * 1024]) {
    await using client = await server.connect();
    await client.greet();
    assert.equal(await client.ask(Option.Abort, new Uint8Array(length)), Reply.Ack);
    await client.closed();
  }
});

Deno.test("LIST with data is answered INVALID in step", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.connect();
  await client.greet();
  for (const length of [1, 100_000]) {
    assert.equal(await client.ask(Option.List, new Uint8Array(length)), Reply.Invalid);
  }
  const replies = await client.option(Option.List);
  assert.equal(replies.at(-1)!.type, Reply.Ack);
});

Deno.test("LIST of a plugin with one export has one entry", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.connect();
  await client.greet();
  const replies = await client.option(Option.List);
  assert.deepEqual(replies.map(({ type }) => type), [Reply.Server, Reply.Ack]);
  assert.ok(replies.every(({ option }) => option === Option.List));
});

Deno.test("LIST has the name that --exportname gives", async () => {
  await using server = await TestServer.start(["-e", "Büro/disk 1", "memory", "1M"]);
  await using client = await server.connect();
  await client.greet();
  assert.deepEqual(listed(await client.option(Option.List)).map((x) => x.name), ["Büro/disk 1"]);
});

Deno.test("LIST of a directory has every file, and each name can be opened", async () => {
  using directory = new TestDirectory();
  const names = ["a", "b c", "grün.img", "50%", "a&b=c?d#e", "-r", "..."];
  for (const [index, name] of names.entries()) directory.sparse(name, 512 * (index + 1));
  await using server = await TestServer.start(["file", `dir=${directory.path}`]);
  await using client = await server.connect();
  await client.greet();
  const found = listed(await client.option(Option.List)).map(({ name }) => name);
  assert.deepEqual(found.toSorted(), names.toSorted());
  for (const [index, exportName] of names.entries()) {
    await using reader = await server.client({ exportName });
    assert.equal(reader.agreement!.size, BigInt(512 * (index + 1)), exportName);
  }
});

Deno.test("LIST of a directory has no subdirectories, and no way leads out of it", async () => {
  using directory = new TestDirectory();
  directory.sparse("disk", 512);
  Deno.mkdirSync(directory.file("sub"));
  Deno.mkdirSync(directory.file("inner"));
  await using server = await TestServer.start(["file", `dir=${directory.file("inner")}`]);
  await using client = await server.connect();
  await client.greet();
  assert.deepEqual(listed(await client.option(Option.List)), []);
  for (const exportName of ["../disk", "..", ".", "/etc/passwd", "../inner/../disk", "sub"]) {
    await assert.rejects(server.client({ exportName }), /refused/, exportName);
  }
});
