// SPDX-License-Identifier: MIT
// The decoder and the engine agree on how long each instruction is: the engine is shown every opcode
// with many guesses of what follows, and whatever it accepts the decoder must take apart alike.

import assert from "node:assert/strict";
import { PluginError } from "../errors.ts";
import { Op } from "./format.ts";
import { skipImmediates } from "./instructions.ts";
import { ByteReader } from "./reader.ts";
import { ByteWriter } from "./writer.ts";

/** So many functions, locals, globals and so on, so that SENTINEL is a valid index. */
const MANY = 40;
/** No instruction: where it is accepted, it is part of the one before. */
const SENTINEL = 0x27;
const ELSE = 0x05;

/** The sections of a module before its code. */
function beforeCode(): Uint8Array {
  const out = new ByteWriter(1024).byte(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  out.section(1, vector(MANY, 0x60, 0, 0)); // types
  out.section(3, vector(MANY, 0)); // functions
  out.section(4, vector(MANY, 0x70, 0, 0)); // tables
  out.section(5, vector(1, 0, 0)); // memory
  out.section(13, vector(MANY, 0, 0)); // tags
  out.section(6, vector(MANY, 0x7f, 1, 0x41, 0, 0x0b)); // globals
  out.section(9, vector(MANY, 3, 0, 1, SENTINEL)); // elements, which declare a function
  return out.section(12, Uint8Array.of(MANY)).written;
}

function vector(count: number, ...item: number[]): Uint8Array {
  const content = new ByteWriter(1024).u32(count);
  for (let left = count; left > 0; left--) content.byte(...item);
  return content.written;
}

const BEFORE_CODE = beforeCode();
const FUNCTIONS = new ByteWriter(1024).u32(MANY);
for (let left = MANY - 1; left > 0; left--) FUNCTIONS.byte(2, 0, 0x0b);
const DATA = vector(MANY, 1, 0);

/** A module whose last function is `unreachable`, then `code`, `unreachable`, `end`. */
function moduleWith(code: number[]): Uint8Array<ArrayBuffer> {
  const functions = new ByteWriter(256).raw(FUNCTIONS.written);
  functions.byte(code.length + 6, 1, MANY, 0x7f, 0x00, ...code, 0x00, 0x0b);
  const out = new ByteWriter(1024).raw(BEFORE_CODE);
  return out.section(10, functions.written).section(11, DATA).written;
}

/** Guesses of what may follow an opcode. */
function* guesses(): Generator<number[]> {
  yield [];
  for (let length = 1; length <= 18; length++) {
    const zeroes = new Array(length - 1).fill(0);
    for (const last of [0, SENTINEL, ELSE]) yield [...zeroes, last];
    if (length > 1) yield [...zeroes.slice(1), SENTINEL, 0];
  }
  // A block type or value type, then whatever ends the block or list.
  for (const type of [0x40, 0x7f, 0x7b]) yield* [[type, 0x0b], [1, type], [type]];
  for (const heapType of [0x70, 0x6f, 0x69]) yield [heapType];
  // Catches in one list, and a memory index.
  yield [0x40, 4, 0, SENTINEL, 0, 1, SENTINEL, 0, 2, 0, 3, 0, 0x0b];
  yield [0x40, 1, 2, 0, 0x0b];
  for (const alignment of [0, 1, 2, 3, 4]) {
    yield [alignment, SENTINEL];
    yield [alignment | 0x40, 0, SENTINEL];
    yield [alignment, SENTINEL, 0];
    yield [alignment, SENTINEL, 1];
  }
  // Numbers of several bytes.
  yield [0x80 | SENTINEL, 0x80, 0x00];
  yield [0xff, 0xff, 0xff, 0xff, 0x07];
  yield [0, 0xff, 0xff, 0x03];
}

/** All opcodes, with the second number of those that have one as LEB128. */
function* opcodes(): Generator<number[]> {
  for (let opcode = 0; opcode < 256; opcode++) {
    if (opcode < 0xfb || opcode > 0xfe) yield [opcode];
  }
  for (const [prefix, seconds] of [[0xfb, 8], [0xfc, 40], [0xfd, 320], [0xfe, 128]] as const) {
    for (let second = 0; second < seconds; second++) {
      yield [prefix, ...new ByteWriter(8).u32(second).written];
    }
  }
}

/** Typed references and garbage collection, which the engine knows and sandblock does not. */
const REFUSED = [0x14, 0x15, 0xd3, 0xd4, 0xd5, 0xd6, 0xfb];
const REF_NULL = 0xd0;
const HEAP_TYPES = [0x70, 0x6f, 0x69];

function isRefused([opcode]: number[], [first]: number[]): boolean {
  return REFUSED.includes(opcode!) || (opcode === REF_NULL && !HEAP_TYPES.includes(first!));
}

/** Bytes that the decoder finds after the opcode in `code`; throws what it throws. */
function decodedLength(opcode: number[], following: number[]): number {
  const bytes = Uint8Array.from([...opcode, ...following, 0x00, 0x0b]);
  const reader = new ByteReader(bytes, 1);
  skipImmediates(reader, opcode[0]!);
  return reader.at - opcode.length;
}

Deno.test("the engine and the decoder agree on the length of every instruction", () => {
  const seen = new Set<string>();
  for (const opcode of opcodes()) {
    for (const following of guesses()) {
      // These are instructions of their own, which end a block too early or are prefixes.
      if (opcode[0] === 0x0b) continue;
      if (!WebAssembly.validate(moduleWith([...opcode, ...following]))) continue;
      if (isRefused(opcode, following)) {
        assert.throws(() => decodedLength(opcode, following), PluginError, opcode.join());
        continue;
      }
      const length = decodedLength(opcode, following);
      // The decoder would take what is left over for instructions, which these are not.
      const rest = following.slice(length).filter((byte) => byte === SENTINEL || byte === ELSE);
      const hex = opcode.map((byte) => byte.toString(16)).join(" ");
      assert(rest.length === 0 || opcode[0] === Op.If, `${hex}: ${following} -> ${length}`);
      seen.add(opcode.join());
    }
  }
  // MVP and later plain opcodes, 18 after 0xfc, 256 + 20 after 0xfd less the unused, atomics.
  assert(seen.size > 500, `the engine accepted ${seen.size} instructions`);
});

Deno.test("an instruction that is not known is refused in a sentence", () => {
  const refuse = (...code: number[]) => {
    const reader = new ByteReader(Uint8Array.from(code), 1);
    assert.throws(() => skipImmediates(reader, code[0]!), {
      name: "PluginError",
      message: /^it uses the instruction .*, which sandblock does not know$/,
    });
  };
  refuse(0xfb, 0x01, 0x00);
  refuse(0x14, 0x00);
  refuse(0xfc, 18);
  refuse(0xfd, 0x94, 0x02);
  refuse(0xfe, 0x4f);
  refuse(0x02, 0x63, 0x00);
  refuse(0x1f, 0x40, 0x01, 0x04, 0x00);
});

Deno.test("code that is cut short is refused, not read beyond", () => {
  for (const code of [[0x41], [0x42, 0x80], [0x43, 0, 0, 0], [0xfd, 12, 0], [0x0e, 5], [0x28, 0]]) {
    const reader = new ByteReader(Uint8Array.from(code), 1);
    assert.throws(() => skipImmediates(reader, code[0]!), PluginError, code.join());
  }
});
