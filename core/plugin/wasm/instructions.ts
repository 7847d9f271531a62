// SPDX-License-Identifier: MIT
// Knows how long each WebAssembly instruction is (core specification 3.0, 5.4): MVP, sign extension,
// saturating conversion, bulk memory, reference types, multi-value, SIMD, relaxed SIMD, atomics, tail
// calls, exceptions (both forms), memory64, several memories. Others are refused.

import { PluginError } from "../errors.ts";
import { BLOCK_EMPTY, isValueType, Op } from "./format.ts";
import type { ByteReader } from "./reader.ts";

/** What follows an opcode. */
const enum Immediate {
  Unknown,
  None,
  BlockType,
  Index,
  TwoIndices,
  Memory,
  BranchTable,
  SelectTypes,
  Catches,
  Signed32,
  Signed64,
  Bytes4,
  Bytes8,
  HeapType,
  Misc,
  Simd,
  Atomic,
}

const immediates = new Uint8Array(256);

function define(immediate: Immediate, from: number, to = from): void {
  immediates.fill(immediate, from, to + 1);
}

define(Immediate.None, 0x00, 0x01); // unreachable, nop
define(Immediate.BlockType, 0x02, 0x04); // block, loop, if
define(Immediate.None, 0x05); // else
define(Immediate.BlockType, 0x06); // try
define(Immediate.Index, 0x07, 0x09); // catch, throw, rethrow
define(Immediate.None, 0x0a, 0x0b); // throw_ref, end
define(Immediate.Index, 0x0c, 0x0d); // br, br_if
define(Immediate.BranchTable, 0x0e);
define(Immediate.None, 0x0f); // return
define(Immediate.Index, 0x10); // call
define(Immediate.TwoIndices, 0x11); // call_indirect
define(Immediate.Index, 0x12); // return_call
define(Immediate.TwoIndices, 0x13); // return_call_indirect
define(Immediate.Index, 0x18); // delegate
define(Immediate.None, 0x19, 0x1b); // catch_all, drop, select
define(Immediate.SelectTypes, 0x1c);
define(Immediate.Catches, 0x1f); // try_table
define(Immediate.Index, 0x20, 0x26); // local, global and table access
define(Immediate.Memory, 0x28, 0x3e); // loads and stores
define(Immediate.Index, 0x3f, 0x40); // memory.size, memory.grow
define(Immediate.Signed32, 0x41);
define(Immediate.Signed64, 0x42);
define(Immediate.Bytes4, 0x43);
define(Immediate.Bytes8, 0x44);
define(Immediate.None, 0x45, 0xc4); // numeric, with sign extension from 0xc0
define(Immediate.HeapType, 0xd0); // ref.null
define(Immediate.None, 0xd1); // ref.is_null
define(Immediate.Index, 0xd2); // ref.func
define(Immediate.Misc, 0xfc);
define(Immediate.Simd, 0xfd);
define(Immediate.Atomic, 0xfe);

/** How many indices follow instructions 0xfc 0 to 17. */
const MISC_INDICES = [0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 1, 2, 1, 2, 1, 1, 1];
/** The last relaxed SIMD instruction. */
const SIMD_LAST = 0x113;
const ATOMIC_FENCE = 0x03;
const ATOMIC_LAST = 0x4e;
/** Bit of a memory access's alignment that says that the index of a memory follows. */
const MEMORY_INDEX_FLAG = 0x40;

function unknown(what: string): never {
  throw new PluginError(`it uses the instruction ${what}, which sandblock does not know`);
}

const hex = (value: number) => `0x${value.toString(16).padStart(2, "0")}`;

/**
 * Moves past what follows `opcode`, which has just been read. Returns the second number of an
 * instruction that has a prefix, else 0.
 */
export function skipImmediates(reader: ByteReader, opcode: number): number {
  switch (immediates[opcode]) {
    case Immediate.None:
      return 0;
    case Immediate.BlockType:
      skipBlockType(reader);
      return 0;
    case Immediate.Index:
      reader.u32();
      return 0;
    case Immediate.TwoIndices:
      reader.u32();
      reader.u32();
      return 0;
    case Immediate.Memory:
      skipMemory(reader);
      return 0;
    case Immediate.Signed32:
      reader.skipLeb(5);
      return 0;
    case Immediate.Signed64:
      reader.skipLeb(10);
      return 0;
    case Immediate.Bytes4:
      reader.skip(4);
      return 0;
    case Immediate.Bytes8:
      reader.skip(8);
      return 0;
    default:
      return skipRareImmediates(reader, opcode);
  }
}

function skipRareImmediates(reader: ByteReader, opcode: number): number {
  switch (immediates[opcode]) {
    case Immediate.BranchTable:
      for (let left = reader.count() + 1; left > 0; left--) reader.u32();
      return 0;
    case Immediate.SelectTypes:
      for (let left = reader.count(); left > 0; left--) reader.valueType();
      return 0;
    case Immediate.Catches:
      skipBlockType(reader);
      for (let left = reader.count(2); left > 0; left--) skipCatch(reader);
      return 0;
    case Immediate.HeapType:
      reader.valueType();
      return 0;
    case Immediate.Misc:
      return skipMisc(reader);
    case Immediate.Simd:
      return skipSimd(reader);
    case Immediate.Atomic:
      return skipAtomic(reader);
    default:
      return unknown(hex(opcode));
  }
}

function skipBlockType(reader: ByteReader): void {
  const first = reader.byte();
  if (first === BLOCK_EMPTY || isValueType(first)) return;
  // A type index is a positive number; other negative ones are types that sandblock does not know.
  if (first < 0x40) return;
  if (first < 0x80) unknown(`block with the type ${hex(first)}`);
  reader.skipLeb(4);
}

function skipMemory(reader: ByteReader): void {
  if (reader.u32() & MEMORY_INDEX_FLAG) reader.u32();
  reader.u64();
}

function skipCatch(reader: ByteReader): void {
  const kind = reader.byte();
  if (kind > 3) unknown(`try_table with a catch of the kind ${kind}`);
  // catch and catch_ref name a tag before their label, the catch_all forms do not.
  if (kind < 2) reader.u32();
  reader.u32();
}

function skipMisc(reader: ByteReader): number {
  const second = reader.u32();
  const indices = MISC_INDICES[second];
  if (indices === undefined) unknown(`${hex(Op.PrefixMisc)} ${hex(second)}`);
  for (let left = indices; left > 0; left--) reader.u32();
  return second;
}

function skipSimd(reader: ByteReader): number {
  const second = reader.u32();
  if (second > SIMD_LAST) unknown(`${hex(Op.PrefixSimd)} ${hex(second)}`);
  if (second <= 11 || second === 92 || second === 93) {
    skipMemory(reader);
  } else if (second === 12 || second === 13) {
    reader.skip(16); // v128.const, i8x16.shuffle
  } else if (second >= 21 && second <= 34) {
    reader.byte(); // the lane that is extracted or replaced
  } else if (second >= 84 && second <= 91) {
    skipMemory(reader);
    reader.byte(); // the lane that is loaded or stored
  }
  return second;
}

function skipAtomic(reader: ByteReader): number {
  const second = reader.u32();
  if (second === ATOMIC_FENCE) {
    reader.byte();
  } else if (second <= 0x02 || (second >= 0x10 && second <= ATOMIC_LAST)) {
    skipMemory(reader);
  } else {
    unknown(`${hex(Op.PrefixAtomic)} ${hex(second)}`);
  }
  return second;
}

/** Whether `opcode` begins a block that an `end` closes. */
export function opensBlock(opcode: number): boolean {
  return (opcode >= Op.Block && opcode <= Op.If) || opcode === Op.Try || opcode === Op.TryTable;
}

/** Moves past an expression and its `end`. */
export function skipExpression(reader: ByteReader): void {
  for (let depth = 1; depth > 0;) {
    const opcode = reader.byte();
    skipImmediates(reader, opcode);
    if (opensBlock(opcode)) depth++;
    // `delegate` closes a `try` in place of `end`.
    else if (opcode === Op.End || opcode === Op.Delegate) depth--;
  }
}
