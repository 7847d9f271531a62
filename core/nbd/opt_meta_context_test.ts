// SPDX-License-Identifier: MIT
// LIST_META_CONTEXT and SET_META_CONTEXT: queries, selection, what clears it.

import assert from "node:assert/strict";
import { encodeContextData, encodeInfoData } from "./client.ts";
import { ByteWriter } from "./bytes.ts";
import { META_CONTEXT_DATA_MAX } from "./limits.ts";
import { exportInfo } from "./testing/model_export.ts";
import { Talk } from "./testing/talk.ts";
import { BASE_ALLOCATION, Option, Reply } from "./wire.ts";

const disk = exportInfo(65536, { name: "disk" });
const other = exportInfo(512, { name: "other" });
const { ListMetaContext, SetMetaContext } = Option;

function talk(...options: number[]): Talk {
  const made = new Talk([disk, other]);
  for (const option of options.length > 0 ? options : [Option.StructuredReply]) made.option(option);
  return made;
}

/** Contexts in the answer as [id, name], or the type of the error. */
function contexts(server: Talk, option: number, queries: string[], name = "disk") {
  const replies = server.option(option, encodeContextData(name, queries));
  const last = replies.pop()!;
  if (last.type !== Reply.Ack) return last.type;
  return replies.map(({ type, data }) => {
    assert.equal(type, Reply.MetaContext);
    const id = new DataView(data.buffer, data.byteOffset).getUint32(0);
    return [id, new TextDecoder().decode(data.subarray(4))];
  });
}

/** The names of the contexts that are selected once the handshake is over. */
function selected(server: Talk, exportName = "disk"): string[] {
  assert.equal(server.types(Option.Go, encodeInfoData(exportName)).at(-1), Reply.Ack);
  return server.server.session.metaContexts.map(({ name }) => name);
}

Deno.test("LIST_META_CONTEXT without queries lists all, with id 0", () => {
  assert.deepEqual(contexts(talk(), ListMetaContext, []), [[0, BASE_ALLOCATION]]);
});

Deno.test("LIST_META_CONTEXT matches names and the wildcard base:", () => {
  for (const query of ["base:", "base:allocation"]) {
    assert.deepEqual(contexts(talk(), ListMetaContext, [query]), [[0, BASE_ALLOCATION]]);
  }
  const both = ["base:", BASE_ALLOCATION];
  assert.deepEqual(contexts(talk(), ListMetaContext, both), [[0, BASE_ALLOCATION]]);
});

Deno.test("LIST_META_CONTEXT ignores what it does not know", () => {
  for (const query of ["base:nope", "x-foo:bar", "x-foo:", "nonsense", "", "base", ":"]) {
    assert.deepEqual(contexts(talk(), ListMetaContext, [query]), []);
  }
});

Deno.test("SET_META_CONTEXT selects base:allocation once, however often it is asked for", () => {
  const server = talk();
  const queries = [BASE_ALLOCATION, "x-foo:bar", BASE_ALLOCATION];
  assert.deepEqual(contexts(server, SetMetaContext, queries), [[1, BASE_ALLOCATION]]);
  assert.deepEqual(selected(server), [BASE_ALLOCATION]);
});

Deno.test("SET_META_CONTEXT of base:, base:nope, x-foo:bar selects nothing", () => {
  for (const query of ["base:", "base:nope", "x-foo:bar", ""]) {
    const server = talk();
    assert.deepEqual(contexts(server, SetMetaContext, [query]), []);
    assert.deepEqual(selected(server), []);
  }
});

Deno.test("SET_META_CONTEXT without queries clears the selection", () => {
  const server = talk();
  contexts(server, SetMetaContext, [BASE_ALLOCATION]);
  assert.deepEqual(contexts(server, SetMetaContext, []), []);
  assert.deepEqual(selected(server), []);
});

Deno.test("failing SET_META_CONTEXT clears the selection", () => {
  const failing = [
    encodeContextData("nope", [BASE_ALLOCATION]),
    new Uint8Array(3),
    new Uint8Array(META_CONTEXT_DATA_MAX + 1),
  ];
  for (const data of failing) {
    const server = talk();
    contexts(server, SetMetaContext, [BASE_ALLOCATION]);
    assert.notEqual(server.types(SetMetaContext, data).at(-1), Reply.Ack);
    assert.deepEqual(selected(server), []);
  }
});

Deno.test("SET_META_CONTEXT for one export does not count for another", () => {
  const server = talk();
  contexts(server, SetMetaContext, [BASE_ALLOCATION], "disk");
  assert.deepEqual(selected(server, "other"), []);
});

Deno.test("selection outlives INFO of another export", () => {
  const server = talk();
  contexts(server, SetMetaContext, [BASE_ALLOCATION], "disk");
  server.option(Option.Info, encodeInfoData("other"));
  assert.deepEqual(selected(server, "disk"), [BASE_ALLOCATION]);
});

Deno.test("default export and its name are the same export", () => {
  const server = talk();
  contexts(server, SetMetaContext, [BASE_ALLOCATION], "");
  assert.deepEqual(selected(server, "disk"), [BASE_ALLOCATION]);
});

Deno.test("meta contexts need structured replies or extended headers", () => {
  const bare = new Talk([disk]);
  for (const option of [ListMetaContext, SetMetaContext]) {
    assert.equal(contexts(bare, option, [BASE_ALLOCATION]), Reply.Invalid);
  }
  const extended = talk(Option.ExtendedHeaders);
  assert.deepEqual(contexts(extended, SetMetaContext, [BASE_ALLOCATION]), [[1, BASE_ALLOCATION]]);
});

Deno.test("extended headers after SET_META_CONTEXT keep the selection", () => {
  const server = talk();
  contexts(server, SetMetaContext, [BASE_ALLOCATION]);
  server.option(Option.ExtendedHeaders);
  assert.deepEqual(selected(server), [BASE_ALLOCATION]);
});

Deno.test("unknown export is answered with UNKNOWN", () => {
  for (const option of [ListMetaContext, SetMetaContext]) {
    assert.equal(contexts(talk(), option, [], "nope"), Reply.Unknown);
  }
});

Deno.test("malformed meta context options are invalid, in step", () => {
  const bad = [
    new Uint8Array(0),
    new ByteWriter().u32(0).finish(),
    new ByteWriter().u32(9).u32(0).finish(),
    new ByteWriter().u32(0).u32(1).finish(),
    new ByteWriter().u32(0).u32(0xffffffff).u32(0).finish(),
    new ByteWriter().u32(0).u32(1).u32(0xffffffff).finish(),
    new ByteWriter().u32(0).u32(0).u32(0).finish(),
    new ByteWriter().u32(0).u32(1).u32(1).bytes(new Uint8Array([0xff])).finish(),
    encodeContextData("x".repeat(4097), []),
    encodeContextData("disk", ["y".repeat(4097)]),
    encodeContextData("disk", ["a\0b"]),
  ];
  for (const option of [ListMetaContext, SetMetaContext]) {
    for (const data of bad) {
      const server = talk();
      assert.deepEqual(server.types(option, data), [Reply.Invalid]);
      server.assertInStep();
    }
  }
});

Deno.test("meta context option beyond the bound is TOO_BIG, in step", () => {
  for (const option of [ListMetaContext, SetMetaContext]) {
    const server = talk();
    const data = new Uint8Array(META_CONTEXT_DATA_MAX + 1);
    assert.deepEqual(server.types(option, data), [Reply.TooBig]);
    server.assertInStep();
  }
});
