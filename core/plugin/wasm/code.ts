// SPDX-License-Identifier: MIT
// Rewrites function bodies: puts a look at the epoch word at the start of every loop and of every
// function that calls, and redirects references to functions (core specification 5.5.13, "Code").

import { ATOMIC_I32_LOAD, BLOCK_EMPTY, MiscOp, Op } from "./format.ts";
import { opensBlock, skipImmediates } from "./instructions.ts";
import { ByteReader } from "./reader.ts";
import { ByteWriter } from "./writer.ts";

/** References that change: what function stands in for another one. */
export type Redirects = ReadonlyMap<number, number>;

/** What is done to the bodies of a module. */
export interface CodeRewrite {
  redirects: Redirects;
  /** Instructions that trap once the deadline has passed. */
  check: Uint8Array;
  /** Functions that code takes references to; filled in by the rewriting. */
  referenced: Set<number>;
}

/** Alignment of the epoch word (2^2 bytes) with the bit that says that a memory index follows. */
const EPOCH_ALIGNMENT = 2 | 0x40;

/**
 * Instructions that trap when the word at 0 in memory `memoryIndex` is negative. The load is atomic
 * so that the engine cannot move it out of a loop.
 */
export function epochCheck(memoryIndex: number): Uint8Array {
  return new ByteWriter(32)
    .byte(Op.I32Const, 0)
    .byte(Op.PrefixAtomic, ATOMIC_I32_LOAD, EPOCH_ALIGNMENT).u32(memoryIndex).byte(0)
    .byte(Op.I32Const, 0)
    .byte(Op.I32LtS)
    .byte(Op.If, BLOCK_EMPTY, Op.Unreachable, Op.End)
    .written;
}

/** Rewrites the body between `start` and `end` into `out`, without its length. */
export function rewriteBody(
  bytes: Uint8Array,
  start: number,
  end: number,
  rewrite: CodeRewrite,
  out: ByteWriter,
): void {
  const reader = new ByteReader(bytes, start, end);
  for (let left = reader.count(2); left > 0; left--) {
    reader.u32();
    reader.valueType();
  }
  const copier = new Copier(bytes, start, out);
  // Only a function that calls can be part of an endless recursion, so the others need no check.
  // Looking for calls first costs another pass, but only until the first call.
  if (calls(new ByteReader(bytes, reader.at, end))) copier.insert(reader.at, rewrite.check);
  rewriteInstructions(reader, copier, rewrite);
  reader.finish("a function");
  copier.finish(end);
}

/** Rewrites the constant expression at `reader` into `out`: only references to functions change. */
export function rewriteConstant(reader: ByteReader, redirects: Redirects, out: ByteWriter): void {
  const copier = new Copier(reader.bytes, reader.at, out);
  const nothing = new Uint8Array(0);
  rewriteInstructions(reader, copier, { redirects, check: nothing, referenced: new Set() });
  copier.finish(reader.at);
}

function rewriteInstructions(reader: ByteReader, copier: Copier, rewrite: CodeRewrite): void {
  for (let depth = 1; depth > 0;) {
    const at = reader.at;
    const opcode = reader.byte();
    const second = skipImmediates(reader, opcode);
    if (opensBlock(opcode)) depth++;
    else if (opcode === Op.End || opcode === Op.Delegate) depth--;
    if (opcode === Op.Loop) copier.insert(reader.at, rewrite.check);
    else if (isLong(opcode, second)) copier.insert(at, rewrite.check);
    else if (namesFunction(opcode)) redirect(at, reader, copier, rewrite);
  }
}

function namesFunction(opcode: number): boolean {
  return opcode === Op.Call || opcode === Op.ReturnCall || opcode === Op.RefFunc;
}

/** Instructions that take long when their operands are large; a row of them needs checks too. */
function isLong(opcode: number, second: number): boolean {
  if (opcode === Op.MemoryGrow) return true;
  return opcode === Op.PrefixMisc && second >= MiscOp.MemoryInit &&
    second !== MiscOp.DataDrop && second !== MiscOp.ElemDrop && second !== MiscOp.TableSize;
}

function redirect(at: number, reader: ByteReader, copier: Copier, rewrite: CodeRewrite): void {
  const target = new ByteReader(reader.bytes, at + 1, reader.end).u32();
  const standIn = rewrite.redirects.get(target);
  if (reader.bytes[at] === Op.RefFunc) rewrite.referenced.add(standIn ?? target);
  if (standIn !== undefined) copier.replace(at + 1, reader.at, standIn);
}

function calls(reader: ByteReader): boolean {
  while (!reader.done) {
    const opcode = reader.byte();
    if (opcode >= Op.Call && opcode <= Op.ReturnCallIndirect) return true;
    skipImmediates(reader, opcode);
  }
  return false;
}

/** Copies bytes in order, with insertions and replacements on the way. */
class Copier {
  readonly #bytes: Uint8Array;
  readonly #out: ByteWriter;
  #from: number;

  constructor(bytes: Uint8Array, from: number, out: ByteWriter) {
    this.#bytes = bytes;
    this.#from = from;
    this.#out = out;
  }

  insert(at: number, addition: Uint8Array): void {
    this.finish(at);
    this.#out.raw(addition);
  }

  replace(from: number, to: number, index: number): void {
    this.finish(from);
    this.#out.u32(index);
    this.#from = to;
  }

  /** Copies everything up to `end`. */
  finish(end: number): void {
    this.#out.raw(this.#bytes.subarray(this.#from, end));
    this.#from = end;
  }
}
