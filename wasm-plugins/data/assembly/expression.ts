// SPDX-License-Identifier: MIT
// The expression that the parser has read last, and what can be made of it.

import { alloc, Errno, failWith } from "../../sdk/assemblyscript/assembly";
import { error } from "./lexer";
import {
  isZero,
  Kind,
  LENGTH_MAX,
  makeLiteral,
  makeRepeat,
  makeScope,
  Node,
  put,
  segmentAt,
} from "./rope";

/** Its node (0: zeroes) and its length. */
export let node: usize = 0;
export let length: u64 = 0;
/** It is a literal that nobody else knows, so it may become part of the one before it. */
export let fresh = false;

/** Where the bytes of the next literal go. */
let literals: usize = 0;
/** Where the literal that is being made begins. */
let literalStart: usize = 0;

/** Makes room for the literals of a text of `textLength` bytes. */
export function makeLiteralRoom(textLength: usize): bool {
  // The densest that bytes can be written are the 8 of "le64:0".
  literals = alloc(textLength * 2, 1);
  return literals != 0 || outOfMemory();
}

/** The expression is `length` bytes of `node`, which somebody else may know. */
export function setExpression(to: usize, bytes: u64): void {
  node = to;
  length = bytes;
  fresh = false;
}

/** Begins a literal, to which bytes can be added. */
export function beginLiteral(): void {
  literalStart = literals;
}

export function addByte(byte: u8): void {
  store<u8>(literals++, byte);
}

/** The literal becomes the expression. */
export function endLiteral(): bool {
  length = literals - literalStart;
  fresh = length != 0;
  node = fresh ? makeLiteral(literalStart, length) : 0;
  return node != 0 || !fresh || outOfMemory();
}

/** The lowest `bytes` bytes of a number become the expression. */
export function setWord(value: u64, bytes: u32, bigEndian: bool): bool {
  beginLiteral();
  for (let i: u32 = 0; i < bytes; i++) {
    addByte(<u8>(value >> ((bigEndian ? bytes - 1 - i : i) * 8)));
  }
  return endLiteral();
}

/** Makes the expression `count` times itself. `start` is where that is asked for. */
export function repeat(count: u64, start: usize): bool {
  fresh = false;
  if (count && length > LENGTH_MAX / count) return error(start, "the result is larger than 2^63-1");
  if (!count || isZero(node)) {
    node = 0;
    length *= count;
    return true;
  }
  if (count == 1) return true;
  length *= count;
  node = makeRepeat(node, count);
  return node != 0 || outOfMemory();
}

/** Makes the expression its bytes `from` to `to` - 1. */
export function cut(from: u64, to: u64): bool {
  fresh = false;
  if (!from && to == length) return true;
  length = to - from;
  if (!length) node = 0;
  if (!node) return true;
  if (changetype<Node>(node).kind == Kind.Literal) {
    node = makeLiteral(changetype<Node>(node).pointer + <usize>from, length);
    return node != 0 || outOfMemory();
  }
  const scope = makeScope();
  if (!scope || !put(scope, 0, length, node)) return outOfMemory();
  segmentAt(changetype<Node>(scope), 0).start = from;
  node = scope;
  return true;
}

/** Says that there is no memory. Returns false. */
export function outOfMemory(): bool {
  failWith(Errno.ENOMEM, "cannot set up the disk: the description takes too much memory");
  return false;
}
