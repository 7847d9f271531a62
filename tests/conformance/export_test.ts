// SPDX-License-Identifier: MIT
// INFO, GO and EXPORT_NAME (proto.md "NBD_OPT_INFO and NBD_OPT_GO"): what an export is, and the way
// into transmission.

import assert from "node:assert/strict";
import { encodeInfoData, encodeOption } from "../../core/nbd/client.ts";
import { ClientFlag, Info, Option, Reply, TransmissionFlag } from "../../core/nbd/wire.ts";
import type { OptionReply } from "../support/wire_client.ts";
import { TestDirectory } from "../support/directory.ts";
import { TestServer } from "../support/server.ts";

const ALL = [Info.Name, Info.Description, Info.BlockSize];

/** INFO replies by the type of information, in hexadecimal. */
function information(replies: OptionReply[]): Map<number, string> {
  const found = new Map<number, string>();
  for (const { type, data } of replies) {
    if (type !== Reply.Info) continue;
    const kind = new DataView(data.buffer, data.byteOffset).getUint16(0);
    assert.ok(!found.has(kind), `information ${kind} came twice`);
    found.set(kind, data.subarray(2).toHex());
  }
  return found;
}

function last(replies: OptionReply[]): number {
  return replies.at(-1)!.type;
}

const malformed: [string, string][] = [
  ["no data at all", ""],
  ["half a name length", "0000"],
  ["a name longer than the data", "0000ffff" + "6161" + "0000"],
  ["a name of 4 GiB", "ffffffff" + "0000"],
  ["no count of requests", "00000000"],
  ["half a count of requests", "00000000" + "00"],
  ["fewer requests than their count", "00000000" + "0002" + "0003"],
  ["junk behind the requests", "00000000" + "0001" + "0003" + "00"],
  ["junk of a whole request", "00000000" + "0000" + "0003"],
  ["a name with NUL", "00000003" + "610061" + "0000"],
  ["a name that is not UTF-8", "00000002" + "c328" + "0000"],
  ["a name of 4097 bytes", "00001001" + "61".repeat(4097) + "0000"],
  ["a megabyte of data", "00000000" + "0000" + "00".repeat(1024 * 1024)],
];
for (const [name, hex] of malformed) {
  Deno.test(`INFO and GO with ${name} are answered INVALID in step`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.connect();
    await client.greet();
    for (const option of [Option.Info, Option.Go]) {
      assert.equal(await client.ask(option, Uint8Array.fromHex(hex)), Reply.Invalid);
    }
    assert.equal(last(await client.option(Option.Go, encodeInfoData(""))), Reply.Ack);
    await client.read(0, 1);
  });
}

Deno.test("an unknown export is answered UNKNOWN by INFO and GO, and the next try works", async () => {
  await using server = await TestServer.start(["-e", "disk", "memory", "1M"]);
  await using client = await server.connect();
  await client.greet();
  for (const option of [Option.Info, Option.Go]) {
    assert.equal(await client.ask(option, encodeInfoData("disc")), Reply.Unknown);
  }
  assert.equal(last(await client.option(Option.Go, encodeInfoData("disk"))), Reply.Ack);
  await client.read(0, 1);
});

Deno.test("a name of 4096 bytes is no error, only unknown", async () => {
  await using server = await TestServer.start(["-e", "disk", "memory", "1M"]);
  await using client = await server.connect();
  await client.greet();
  assert.equal(await client.ask(Option.Go, encodeInfoData("a".repeat(4096))), Reply.Unknown);
});

Deno.test("an unknown export ends the connection at EXPORT_NAME", async () => {
  await using server = await TestServer.start(["-e", "disk", "memory", "1M"]);
  await using client = await server.connect();
  await client.greet();
  await client.send(encodeOption(Option.ExportName, new TextEncoder().encode("disc")));
  await client.closed();
});

Deno.test("unknown information requests are ignored", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.connect();
  await client.greet();
  const data = encodeInfoData("", [Info.BlockSize, 4711, 0xffff]);
  const replies = await client.option(Option.Info, data);
  assert.equal(last(replies), Reply.Ack);
  assert.deepEqual([...information(replies).keys()].toSorted(), [Info.Export, Info.BlockSize]);
});

Deno.test("information that is requested twice comes once", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.connect();
  await client.greet();
  const data = encodeInfoData("", [...ALL, ...ALL, Info.Export]);
  const replies = await client.option(Option.Info, data);
  assert.equal(last(replies), Reply.Ack);
  assert.ok(information(replies).size >= 3);
});

Deno.test("INFO and GO report the same data", async () => {
  using directory = new TestDirectory();
  const path = directory.sparse("odd", 1_000_003);
  for (const args of [["memory", "1M"], ["file", path], ["-r", "pattern", "7G"]]) {
    await using server = await TestServer.start(args);
    await using client = await server.connect();
    await client.greet();
    await client.option(Option.StructuredReply);
    const before = information(await client.option(Option.Info, encodeInfoData("", ALL)));
    const after = information(await client.option(Option.Go, encodeInfoData("", ALL)));
    assert.ok(before.size >= 3);
    assert.deepEqual(after, before);
  }
});

Deno.test("INFO does not enter transmission", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.connect();
  await client.greet();
  assert.equal(last(await client.option(Option.Info, encodeInfoData(""))), Reply.Ack);
  assert.equal((await client.option(Option.List)).at(-1)!.type, Reply.Ack);
  assert.equal(await client.ask(Option.Abort), Reply.Ack);
});

Deno.test("GO for one export after INFO for another enters the one it names", async () => {
  using directory = new TestDirectory();
  directory.sparse("small", 512);
  directory.sparse("large", 4096);
  await using server = await TestServer.start(["file", `dir=${directory.path}`]);
  await using client = await server.connect();
  await client.greet();
  await client.option(Option.Info, encodeInfoData("small"));
  const replies = await client.option(Option.Go, encodeInfoData("large"));
  assert.equal(last(replies), Reply.Ack);
  assert.match(information(replies).get(Info.Export)!, /^0000000000001000/);
  await client.read(4095, 1);
});

Deno.test("the size is told to the byte", async () => {
  using directory = new TestDirectory();
  for (const size of [0, 1, 511, 513, 1_000_003]) {
    await using server = await TestServer.start(["file", directory.sparse(`${size}`, size)]);
    await using client = await server.client();
    assert.equal(client.agreement!.size, BigInt(size));
  }
});

Deno.test("NAME tells the name of the export", async () => {
  await using server = await TestServer.start(["-e", "disk", "memory", "1M"]);
  await using client = await server.client({ exportName: "disk" });
  assert.equal(client.agreement!.name, "disk");
});

Deno.test("the empty name opens the default export, and NAME tells which that is", async () => {
  await using server = await TestServer.start(["-e", "disk", "memory", "1M"]);
  await using client = await server.client();
  assert.equal(client.agreement!.size, 1048576n);
  assert.equal(client.agreement!.name, "disk");
});

Deno.test("BLOCK_SIZE keeps the rules of the protocol", async () => {
  using directory = new TestDirectory();
  for (const args of [["memory", "1M"], ["pattern", "1M"], ["file", directory.sparse("f", 512)]]) {
    await using server = await TestServer.start(args);
    await using client = await server.client();
    const { minimum, preferred, maximum } = client.agreement!.blockSize!;
    const isPower = (value: number) => (value & (value - 1)) === 0;
    assert.ok(minimum >= 1 && minimum <= 65536 && isPower(minimum), `minimum ${minimum}`);
    assert.ok(preferred >= 512 && preferred >= minimum && isPower(preferred), `${preferred}`);
    assert.ok(maximum >= 1 << 25 && maximum >= preferred, `maximum ${maximum}`);
  }
});

Deno.test("EXPORT_NAME ends in 124 zeroes unless the client wants none", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  for (const [flags, padding] of [[1, 124], [3, 0]] as const) {
    await using client = await server.connect();
    await client.greet(flags);
    await client.send(encodeOption(Option.ExportName));
    const answer = await client.take(10 + padding);
    assert.match(answer.toHex(), new RegExp(`^0000000000100000....(00){${padding}}$`));
    // What follows is the answer to a request: nothing else came.
    await client.read(0, 8);
  }
});

Deno.test("GO is never padded", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.connect();
  await client.greet(ClientFlag.FixedNewstyle);
  assert.equal(last(await client.option(Option.Go, encodeInfoData(""))), Reply.Ack);
  await client.read(0, 8);
});

Deno.test("SEND_DF is clear without structured replies and set with them", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  for (const replies of [0, 1, 2] as const) {
    await using client = await server.client({ replies });
    const has = (client.agreement!.flags & TransmissionFlag.SendDf) !== 0;
    assert.equal(has, replies > 0);
  }
});

Deno.test("SEND_RESIZE, which nobody implements, is not offered", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.client();
  assert.equal(client.agreement!.flags & TransmissionFlag.SendResize, 0);
});

Deno.test("a read-only server offers nothing that writes", async () => {
  await using server = await TestServer.start(["-r", "memory", "1M"]);
  await using client = await server.client();
  const { flags } = client.agreement!;
  assert.ok(flags & TransmissionFlag.ReadOnly);
  const writing = TransmissionFlag.SendTrim | TransmissionFlag.SendWriteZeroes |
    TransmissionFlag.SendFastZero;
  assert.equal(flags & writing, 0);
});

Deno.test("the memory plugin offers all that it can do", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.client();
  const { flags } = client.agreement!;
  for (
    const name of [
      "HasFlags",
      "SendFlush",
      "SendFua",
      "SendTrim",
      "SendWriteZeroes",
      "SendFastZero",
      "SendDf",
      "CanMultiConn",
    ] as const
  ) assert.ok(flags & TransmissionFlag[name], name);
  assert.equal(flags & TransmissionFlag.ReadOnly, 0);
});
