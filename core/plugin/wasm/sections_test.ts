// SPDX-License-Identifier: MIT
// Modules are taken apart and put together byte by byte as the format says.

import assert from "node:assert/strict";
import fc from "fast-check";
import { PluginError } from "../errors.ts";
import { assemble } from "../test_plugins.ts";
import { ByteReader } from "./reader.ts";
import { readSections, withCustomSection } from "./sections.ts";
import { ByteWriter } from "./writer.ts";

const EMPTY = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

Deno.test("integers are written as they are read", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (value) => {
    const bytes = new ByteWriter(1).u32(value).written;
    assert.equal(new ByteReader(bytes).u32(), value);
    assert.equal(new ByteReader(bytes).u64(), value);
  }));
  fc.assert(fc.property(fc.maxSafeInteger().filter((value) => value >= 0), (value) => {
    assert.equal(new ByteReader(new ByteWriter(1).u32(value).written).u64(), value);
  }));
});

Deno.test("an integer beyond its range is refused", () => {
  for (const bytes of [[0xff, 0xff, 0xff, 0xff, 0x1f], [0x80, 0x80, 0x80, 0x80, 0x80, 0], [0x80]]) {
    assert.throws(() => new ByteReader(Uint8Array.from(bytes)).u32(), PluginError);
  }
});

Deno.test("a name that is not UTF-8 is refused", () => {
  assert.throws(() => new ByteReader(Uint8Array.of(2, 0xc3, 0x28)).name(), /name is not UTF-8/);
});

Deno.test("what is not a module is told from what is", () => {
  const refuse = (bytes: Uint8Array, message: RegExp) => {
    assert.throws(() => readSections(bytes), { name: "PluginError", message });
  };
  refuse(new Uint8Array(0), /^not a WebAssembly module$/);
  refuse(new TextEncoder().encode("#!/bin/sh"), /^not a WebAssembly module$/);
  refuse(Uint8Array.of(0, 0x61, 0x73, 0x6d, 2, 0, 0, 0), /binary version 1/);
  refuse(
    Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0),
    /component where a core module is expected/,
  );
  refuse(Uint8Array.of(...EMPTY, 1), /ends too early at byte 9/);
  refuse(Uint8Array.of(...EMPTY, 3, 1, 0, 1, 1, 0), /repeated or out of order/);
  refuse(Uint8Array.of(...EMPTY, 14, 1, 0), /section of the kind 14/);
  assert.deepEqual(readSections(EMPTY), []);
});

Deno.test("a custom section replaces all others of its name and leaves the rest", () => {
  const module = assemble(`(module (func (export "f") (result i32) (i32.const 3)))`);
  const first = withCustomSection(module, "note", Uint8Array.of(1, 2, 3));
  const second = withCustomSection(first, "note", Uint8Array.of(4));
  const notes = WebAssembly.Module.customSections(new WebAssembly.Module(second), "note");
  assert.deepEqual(notes.map((note) => [...new Uint8Array(note)]), [[4]]);
  const others = (bytes: Uint8Array) => {
    return readSections(bytes).filter(({ name }) => name !== "note").map(({ id }) => id);
  };
  assert.deepEqual(others(second), others(module));
});
