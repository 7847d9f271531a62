// SPDX-License-Identifier: MIT
// LIST: names, descriptions, failures.

import assert from "node:assert/strict";
import { BlockError, Errno } from "../block/errno.ts";
import { exportInfo, ModelDirectory } from "./testing/model_export.ts";
import { Talk } from "./testing/talk.ts";
import { Option, Reply } from "./wire.ts";

const encoder = new TextEncoder();

function listed(names: string[]): { types: number[]; names: string[]; rest: string[] } {
  const talk = new Talk(names.map((name) => exportInfo(1, { name, description: `the ${name}` })));
  const replies = talk.option(Option.List);
  const servers = replies.filter(({ type }) => type === Reply.Server).map(({ data }) => {
    const length = new DataView(data.buffer, data.byteOffset).getUint32(0);
    const text = new TextDecoder("utf-8", { fatal: true });
    return [text.decode(data.subarray(4, 4 + length)), text.decode(data.subarray(4 + length))];
  });
  return {
    types: replies.map(({ type }) => type),
    names: servers.map(([name]) => name!),
    rest: servers.map(([, rest]) => rest!),
  };
}

Deno.test("LIST gives each name with its description and ends with ACK", () => {
  assert.deepEqual(listed(["a", "b c", "ü?&%"]), {
    types: [Reply.Server, Reply.Server, Reply.Server, Reply.Ack],
    names: ["a", "b c", "ü?&%"],
    rest: ["the a", "the b c", "the ü?&%"],
  });
});

Deno.test("LIST of no exports is ACK alone", () => {
  assert.deepEqual(new Talk([]).types(Option.List), [Reply.Ack]);
});

Deno.test("LIST with data is invalid, in step", () => {
  const talk = new Talk([exportInfo(1)]);
  assert.deepEqual(talk.types(Option.List, encoder.encode("x")), [Reply.Invalid]);
  talk.assertInStep();
});

Deno.test("LIST leaves out names that the protocol cannot carry", () => {
  const names = ["x".repeat(4097), "ok", "nul\0", "\ud800", "y".repeat(4096)];
  assert.deepEqual(listed(names).names, ["ok", "y".repeat(4096)]);
});

Deno.test("LIST cuts long descriptions at a character boundary", () => {
  const talk = new Talk([exportInfo(1, { name: "a", description: "ü".repeat(4000) })]);
  const [server] = talk.option(Option.List);
  assert.equal(server!.data.length, 4 + 1 + 4096);
});

Deno.test("LIST tells why a device cannot list", () => {
  for (
    const [errno, type] of [
      [Errno.EACCES, Reply.Policy],
      [Errno.EIO, Reply.Unknown],
      [Errno.ESHUTDOWN, Reply.Shutdown],
    ] as const
  ) {
    const directory = new ModelDirectory([]);
    directory.list = () => {
      throw new BlockError(errno, "cannot list exports: no luck");
    };
    const [reply] = new Talk(directory).option(Option.List);
    assert.equal(reply!.type, type);
    assert.equal(new TextDecoder().decode(reply!.data), "cannot list exports: no luck");
  }
});
