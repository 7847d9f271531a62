// SPDX-License-Identifier: MIT
// LIST_META_CONTEXT and SET_META_CONTEXT (proto.md "Metadata querying").

import assert from "node:assert/strict";
import { Command } from "../../core/block/request.ts";
import { encodeContextData, encodeInfoData } from "../../core/nbd/client.ts";
import { Option, Replies, Reply } from "../../core/nbd/wire.ts";
import { TestDirectory } from "../support/directory.ts";
import { TestServer } from "../support/server.ts";
import type { OptionReply, WireClient } from "../support/wire_client.ts";

const BASE = "base:allocation";
const EINVAL = 22;

/** Names of contexts in the replies, each with its id. */
function contexts(replies: OptionReply[]): { id: number; name: string }[] {
  return replies.filter(({ type }) => type === Reply.MetaContext).map(({ data }) => ({
    id: new DataView(data.buffer, data.byteOffset).getUint32(0),
    name: new TextDecoder().decode(data.subarray(4)),
  }));
}

function names(replies: OptionReply[]): string[] {
  assert.equal(replies.at(-1)!.type, Reply.Ack);
  return contexts(replies).map(({ name }) => name);
}

/** A client that has agreed on structured replies. */
async function structured(server: TestServer): Promise<WireClient> {
  const client = await server.connect();
  await client.greet();
  await client.option(Option.StructuredReply);
  client.replies = Replies.Structured;
  return client;
}

/** Whether BLOCK_STATUS works after GO for `exportName`. */
async function hasStatus(client: WireClient, exportName = ""): Promise<boolean> {
  const replies = await client.option(Option.Go, encodeInfoData(exportName));
  assert.equal(replies.at(-1)!.type, Reply.Ack);
  const errno = await client.perform(Command.BlockStatus, 0n, 512n);
  assert.ok(errno === 0 || errno === EINVAL, `errno ${errno}`);
  return errno === 0;
}

Deno.test("LIST_META_CONTEXT without queries lists base:allocation", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await structured(server);
  const replies = await client.option(Option.ListMetaContext, encodeContextData("", []));
  assert.deepEqual(names(replies), [BASE]);
});

Deno.test("LIST_META_CONTEXT answers a name with it and base: with all of the namespace", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await structured(server);
  for (const query of [BASE, "base:"]) {
    const replies = await client.option(Option.ListMetaContext, encodeContextData("", [query]));
    assert.deepEqual(names(replies), [BASE]);
  }
  for (const query of ["base:nope", "x-foo:bar", "x-foo:", "base", "", "qemu:dirty-bitmap:a"]) {
    const replies = await client.option(Option.ListMetaContext, encodeContextData("", [query]));
    assert.deepEqual(names(replies), [], query);
  }
});

Deno.test("LIST_META_CONTEXT selects nothing", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await structured(server);
  await client.option(Option.ListMetaContext, encodeContextData("", [BASE]));
  assert.equal(await hasStatus(client), false);
});

Deno.test("SET_META_CONTEXT selects base:allocation", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await structured(server);
  const replies = await client.option(Option.SetMetaContext, encodeContextData("", [BASE]));
  assert.deepEqual(names(replies), [BASE]);
  assert.equal(await hasStatus(client), true);
});

Deno.test("SET_META_CONTEXT is INVALID before structured replies or extended headers", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.connect();
  await client.greet();
  for (const option of [Option.SetMetaContext, Option.ListMetaContext]) {
    assert.equal(await client.ask(option, encodeContextData("", [BASE])), Reply.Invalid);
  }
  await client.option(Option.ExtendedHeaders);
  const replies = await client.option(Option.SetMetaContext, encodeContextData("", [BASE]));
  assert.deepEqual(names(replies), [BASE]);
});

for (const query of ["base:", "base:nope", "x-foo:bar", "base:alloc", "BASE:ALLOCATION"]) {
  Deno.test(`SET_META_CONTEXT of "${query}" selects nothing and is acknowledged`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await structured(server);
    const replies = await client.option(Option.SetMetaContext, encodeContextData("", [query]));
    assert.deepEqual(names(replies), []);
    assert.equal(await hasStatus(client), false);
  });
}

const clearing: [string, (client: WireClient) => Promise<OptionReply[]>][] = [
  ["an empty", (c) => c.option(Option.SetMetaContext, encodeContextData("", []))],
  ["a malformed", (c) => c.option(Option.SetMetaContext, new Uint8Array(3))],
  ["an unknown export's", (c) => c.option(Option.SetMetaContext, encodeContextData("no", [BASE]))],
  ["a useless", (c) => c.option(Option.SetMetaContext, encodeContextData("", ["x-foo:bar"]))],
];
for (const [name, clear] of clearing) {
  Deno.test(`${name} SET_META_CONTEXT clears the earlier selection`, async () => {
    await using server = await TestServer.start(["-e", "disk", "memory", "1M"]);
    await using client = await structured(server);
    await client.option(Option.SetMetaContext, encodeContextData("", [BASE]));
    await clear(client);
    assert.equal(await hasStatus(client), false);
  });
}

Deno.test("the same context queried twice has one id and one chunk", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await structured(server);
  const data = encodeContextData("", [BASE, "x-foo:bar", BASE]);
  assert.equal(contexts(await client.option(Option.SetMetaContext, data)).length, 1);
  await client.option(Option.Go, encodeInfoData(""));
  const answer = await client.request({ command: Command.BlockStatus, length: 512n });
  assert.equal(answer.extents.size, 1);
});

Deno.test("BLOCK_STATUS is EINVAL when the contexts were set for another export", async () => {
  using directory = new TestDirectory();
  for (const name of ["a", "b"]) directory.sparse(name, 4096);
  await using server = await TestServer.start(["file", `dir=${directory.path}`]);
  await using client = await structured(server);
  await client.option(Option.SetMetaContext, encodeContextData("a", [BASE]));
  assert.equal(await hasStatus(client, "b"), false);
});

Deno.test("contexts that were set for the empty name hold for the name it stands for", async () => {
  await using server = await TestServer.start(["-e", "disk", "memory", "1M"]);
  await using client = await structured(server);
  await client.option(Option.SetMetaContext, encodeContextData("", [BASE]));
  assert.equal(await hasStatus(client, "disk"), true);
});

Deno.test("SET_META_CONTEXT for an unknown export is answered UNKNOWN", async () => {
  await using server = await TestServer.start(["-e", "disk", "memory", "1M"]);
  await using client = await structured(server);
  for (const option of [Option.SetMetaContext, Option.ListMetaContext]) {
    assert.equal(await client.ask(option, encodeContextData("no", [BASE])), Reply.Unknown);
  }
});

const malformed: [string, string][] = [
  ["no data", ""],
  ["a name longer than the data", "00000010" + "6161" + "00000000"],
  ["no count of queries", "00000000"],
  ["fewer queries than their count", "00000000" + "00000002" + "00000001" + "61"],
  ["a count of 4 G queries", "00000000" + "ffffffff"],
  ["a query longer than the data", "00000000" + "00000001" + "000000ff" + "61"],
  ["junk behind the queries", "00000000" + "00000000" + "00"],
  ["a query that is not UTF-8", "00000000" + "00000001" + "00000002" + "c328"],
  ["a query of 4097 bytes", "00000000" + "00000001" + "00001001" + "61".repeat(4097)],
];
for (const [name, hex] of malformed) {
  Deno.test(`LIST_ and SET_META_CONTEXT with ${name} are answered INVALID in step`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await structured(server);
    for (const option of [Option.ListMetaContext, Option.SetMetaContext]) {
      assert.equal(await client.ask(option, Uint8Array.fromHex(hex)), Reply.Invalid);
    }
    const data = encodeContextData("", [BASE]);
    assert.deepEqual(names(await client.option(Option.SetMetaContext, data)), [BASE]);
  });
}

Deno.test("ten thousand queries are answered, a megabyte of them is TOO_BIG in step", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await structured(server);
  const many = encodeContextData("", Array.from({ length: 10_000 }, () => "x"));
  assert.deepEqual(names(await client.option(Option.SetMetaContext, many)), []);
  const more = encodeContextData("", Array.from({ length: 200_000 }, () => "x"));
  assert.equal(await client.ask(Option.SetMetaContext, more), Reply.TooBig);
  const data = encodeContextData("", [BASE]);
  assert.deepEqual(names(await client.option(Option.SetMetaContext, data)), [BASE]);
});
