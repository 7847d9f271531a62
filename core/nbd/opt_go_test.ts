// SPDX-License-Identifier: MIT
// INFO and GO: what they tell, what they refuse, which exports they open.

import assert from "node:assert/strict";
import { BlockError, Errno } from "../block/errno.ts";
import type { BlockSize } from "../block/export.ts";
import { encodeContextData, encodeInfoData, type OptionReply } from "./client.ts";
import { exportInfo, ModelDirectory } from "./testing/model_export.ts";
import { Talk } from "./testing/talk.ts";
import { ByteWriter } from "./bytes.ts";
import { Info, Option, Reply, TransmissionFlag } from "./wire.ts";

const disk = exportInfo(65536, { name: "disk", description: "a disk" });
const other = exportInfo(512, { name: "other" });
const encoder = new TextEncoder();

function view(data: Uint8Array): DataView {
  return new DataView(data.buffer, data.byteOffset, data.length);
}

/** Information types of the INFO replies among `replies`. */
function infoTypes(replies: OptionReply[]): number[] {
  return replies.filter(({ type }) => type === Reply.Info).map(({ data }) =>
    view(data).getUint16(0)
  );
}

function infoData(replies: OptionReply[], wanted: number): Uint8Array {
  const found = replies.find(({ type, data }) =>
    type === Reply.Info && view(data).getUint16(0) === wanted
  );
  return found!.data;
}

function rawInfo(nameLength: number, name: string, count: number, tail = ""): Uint8Array {
  const data = new ByteWriter().u32(nameLength).bytes(encoder.encode(name)).u16(count);
  return data.bytes(encoder.encode(tail)).finish();
}

function withSizes(blockSize: BlockSize): Talk {
  return new Talk([exportInfo(1 << 20, { blockSize })]);
}

Deno.test("INFO and GO answer with size and flags", () => {
  for (const option of [Option.Info, Option.Go]) {
    const replies = new Talk([disk]).option(option, encodeInfoData("disk"));
    assert.deepEqual(replies.map(({ type }) => type), [Reply.Info, Reply.Ack]);
    const data = replies[0]!.data;
    assert.equal(data.length, 12);
    assert.equal(view(data).getBigUint64(2), 65536n);
    assert.ok(view(data).getUint16(10) & TransmissionFlag.HasFlags);
  }
});

Deno.test("GO never pads, even for a client without NO_ZEROES", () => {
  const talk = new Talk([disk], { flags: 1 });
  talk.option(Option.Go, encodeInfoData("disk"));
  assert.equal(talk.queue.length, 0);
});

Deno.test("INFO gives name, description and block sizes when asked", () => {
  const wanted = [Info.Name, Info.Description, Info.BlockSize];
  const replies = new Talk([disk]).option(Option.Info, encodeInfoData("", wanted));
  assert.deepEqual(infoTypes(replies), [Info.Export, Info.Name, Info.Description, Info.BlockSize]);
  assert.deepEqual(infoData(replies, Info.Name).subarray(2), encoder.encode("disk"));
  assert.deepEqual(infoData(replies, Info.Description).subarray(2), encoder.encode("a disk"));
  const sizes = infoData(replies, Info.BlockSize);
  assert.equal(sizes.length, 14);
  assert.deepEqual([2, 6, 10].map((at) => view(sizes).getUint32(at)), [1, 4096, 1 << 25]);
});

Deno.test("unknown and repeated information requests are ignored", () => {
  const replies = new Talk([disk]).option(Option.Info, encodeInfoData("", [99, 1, 1, 0, 0]));
  assert.deepEqual(infoTypes(replies), [Info.Export, Info.Name]);
  assert.equal(replies.at(-1)!.type, Reply.Ack);
});

Deno.test("INFO and GO report the same data", () => {
  const talk = new Talk([disk]);
  const data = encodeInfoData("disk", [1, 2, 3]);
  const told = talk.option(Option.Info, data).map((reply) => ({ ...reply, option: 0 }));
  const agreed = talk.option(Option.Go, data).map((reply) => ({ ...reply, option: 0 }));
  assert.deepEqual(told, agreed);
});

Deno.test("INFO opens the export and GO goes on with it", () => {
  const talk = new Talk([disk]);
  talk.option(Option.Info, encodeInfoData("disk"));
  talk.option(Option.Info, encodeInfoData(""));
  talk.option(Option.Go, encodeInfoData("disk"));
  assert.equal(talk.directory.opened.length, 1);
  assert.equal(talk.server.session.export, talk.directory.opened[0]);
});

Deno.test("INFO of another export closes the former", () => {
  const talk = new Talk([disk, other]);
  talk.option(Option.Info, encodeInfoData("disk"));
  talk.option(Option.Go, encodeInfoData("other"));
  assert.deepEqual(talk.directory.opened.map(({ closed }) => closed), [true, false]);
  assert.equal(talk.server.session.exportName, "other");
});

Deno.test("name longer than the data, trailing bytes, missing count are invalid, in step", () => {
  const bad = [
    rawInfo(100, "disk", 0),
    rawInfo(0xffffffff, "disk", 0),
    rawInfo(4, "disk", 0, "junk"),
    rawInfo(4, "disk", 2),
    rawInfo(4, "disk", 0, "x"),
    encoder.encode("\0\0\0\0"),
    new Uint8Array(0),
    new Uint8Array(3),
  ];
  for (const option of [Option.Info, Option.Go]) {
    for (const data of bad) {
      const talk = new Talk([disk]);
      assert.deepEqual(talk.types(option, data), [Reply.Invalid]);
      talk.assertInStep();
    }
  }
});

Deno.test("name of 4096 bytes is a name, a longer one is invalid, in step", () => {
  const talk = new Talk([disk]);
  const go = (length: number) => talk.types(Option.Go, encodeInfoData("x".repeat(length)));
  assert.deepEqual(go(4096), [Reply.Unknown]);
  assert.deepEqual(go(4097), [Reply.Invalid]);
  assert.deepEqual(go(1 << 20), [Reply.Invalid]);
  talk.assertInStep();
});

Deno.test("name with NUL or broken UTF-8 is invalid", () => {
  const talk = new Talk([disk]);
  assert.deepEqual(talk.types(Option.Go, encodeInfoData("di\0sk")), [Reply.Invalid]);
  const broken = new ByteWriter().u32(2).bytes(new Uint8Array([0xc3, 0x28])).u16(0).finish();
  assert.deepEqual(talk.types(Option.Go, broken), [Reply.Invalid]);
});

Deno.test("unknown export is answered with UNKNOWN and what the device says", () => {
  const [reply] = new Talk([disk]).option(Option.Go, encodeInfoData("nope"));
  assert.equal(reply!.type, Reply.Unknown);
  assert.match(new TextDecoder().decode(reply!.data), /"nope": it does not exist/);
});

Deno.test("empty name without a default export is UNKNOWN", () => {
  const talk = new Talk(new ModelDirectory([disk], null));
  assert.deepEqual(talk.types(Option.Go, encodeInfoData("")), [Reply.Unknown]);
});

Deno.test("export that may not be opened is POLICY", () => {
  const directory = new ModelDirectory([disk]);
  directory.open = () => {
    throw new BlockError(Errno.EPERM, "cannot open export: no");
  };
  assert.deepEqual(new Talk(directory).types(Option.Go, encodeInfoData("")), [Reply.Policy]);
});

Deno.test("failure of GO leaves the handshake open", () => {
  const talk = new Talk([disk]);
  talk.option(Option.Go, encodeInfoData("nope"));
  assert.equal(talk.types(Option.Go, encodeInfoData("disk")).at(-1), Reply.Ack);
});

Deno.test("minimum block size is demanded: sizes first, then BLOCK_SIZE_REQD", () => {
  for (const option of [Option.Info, Option.Go]) {
    const talk = withSizes({ minimum: 512, preferred: 4096, maximum: 1 << 25 });
    const replies = talk.option(option, encodeInfoData(""));
    assert.deepEqual(infoTypes(replies), [Info.Export, Info.BlockSize]);
    assert.equal(replies.at(-1)!.type, Reply.BlockSizeRequired);
    assert.equal(talk.server.negotiation.state, "negotiating");
    const again = talk.option(option, encodeInfoData("", [Info.BlockSize]));
    assert.equal(again.at(-1)!.type, Reply.Ack);
  }
});

Deno.test("smaller maximum is demanded, other preferred size is only told", () => {
  const small = withSizes({ minimum: 1, preferred: 4096, maximum: 1 << 20 });
  assert.equal(small.types(Option.Go, encodeInfoData("")).at(-1), Reply.BlockSizeRequired);
  const preferred = withSizes({ minimum: 1, preferred: 65536, maximum: 1 << 25 });
  const replies = preferred.option(Option.Go, encodeInfoData(""));
  assert.deepEqual(infoTypes(replies), [Info.Export, Info.BlockSize]);
  assert.equal(replies.at(-1)!.type, Reply.Ack);
});

Deno.test("export without a limit is advertised with that of the server", () => {
  const talk = withSizes({ minimum: 1, preferred: 4096, maximum: 0xffffffff });
  const replies = talk.option(Option.Go, encodeInfoData("", [Info.BlockSize]));
  assert.equal(view(infoData(replies, Info.BlockSize)).getUint32(10), 1 << 25);
});

Deno.test("sizes up to 2^63-1 are exact", () => {
  const huge = exportInfo(0, { sizeHigh: 0x7fffffff, sizeLow: 0xffffffff });
  const directory = new ModelDirectory([huge]);
  directory.open = () => Object.assign(new ModelDirectory([disk]).open("disk"), { info: huge });
  const [reply] = new Talk(directory).option(Option.Info, encodeInfoData(""));
  assert.equal(view(reply!.data).getBigUint64(2), 2n ** 63n - 1n);
});

Deno.test("flags in INFO follow what was agreed on before", () => {
  const talk = new Talk([disk]);
  const flags = () =>
    view(infoData(talk.option(Option.Info, encodeInfoData("")), Info.Export)).getUint16(10);
  assert.equal(flags() & TransmissionFlag.SendDf, 0);
  talk.option(Option.ExtendedHeaders);
  assert.equal(flags() & TransmissionFlag.SendDf, TransmissionFlag.SendDf);
  assert.equal(flags() & TransmissionFlag.BlockStatusPayload, 0);
  talk.option(Option.SetMetaContext, encodeContextData("", ["base:allocation"]));
  assert.notEqual(flags() & TransmissionFlag.BlockStatusPayload, 0);
});
