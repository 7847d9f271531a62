// SPDX-License-Identifier: MIT
// The language in which the data plugin's disks are described (README.md, "Language"): recursive
// descent, a description in, a rope out.

import {
  alloc,
  Errno,
  failWith,
  free,
  say,
  sayBytes,
  sayNumber,
} from "../../sdk/assemblyscript/assembly";
import {
  advance,
  at,
  atEnd,
  begin,
  digit,
  end,
  error,
  number,
  peek,
  setText,
  setValue,
  size,
  skip,
  skipBlanks,
  skipWord,
  unexpected,
  value,
} from "./lexer";
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

/** Parentheses may be nested this deep. */
const DEPTH_MAX: u32 = 64;

/** The expression read last: its node (0: zeroes) and its length. */
let node: usize = 0;
let length: u64 = 0;
/** It is a literal that nobody else knows, so it may become part of the one before it. */
let fresh = false;

/** Where the bytes of the next literal go. */
let literals: usize = 0;

/** A name and what it stands for; a list, innermost first. */
@unmanaged
class Name {
  next: usize;
  text: usize;
  textLength: usize;
  node: usize;
  length: u64;
}
let names: usize = 0;

/** Address of a name that was read, and its length. */
let nameText: usize = 0;
let nameLength: usize = 0;

/** The rope that the text describes; 0, after saying why, where it describes none. */
export function parse(pointer: usize, textLength: usize): usize {
  setText(pointer, textLength);
  // The densest that bytes can be written are the 8 of "le64:0".
  literals = alloc(textLength * 2, 1);
  const scope = makeScope();
  if (!literals || !scope) outOfMemory();
  else if (parseScope(scope, 0, pointer)) return scope;
  return 0;
}

function outOfMemory(): bool {
  failWith(Errno.ENOMEM, "cannot set up the disk: the description takes too much memory");
  return false;
}

/** Fills a scope with what follows, up to the closing parenthesis, or, at depth 0, to the end. */
function parseScope(scope: usize, depth: u32, start: usize): bool {
  const outerNames = names;
  let offset: u64 = 0;
  // The last segment is a literal that ends at `offset` and may still grow.
  let growing = false;
  while (true) {
    skipBlanks();
    if (atEnd()) {
      if (depth) return error(start, "this parenthesis is not closed");
      break;
    }
    if (peek() == 0x29) { // )
      if (!depth) return error(at, "there is no parenthesis to close");
      advance(1);
      break;
    }
    if (skip(0x40)) { // @
      if (!parseMove(offset)) return false;
      offset = value;
      growing = false;
      if (offset > changetype<Node>(scope).length) changetype<Node>(scope).length = offset;
      continue;
    }
    const expression = at;
    if (!parsePrimary(depth) || !parsePostfix()) return false;
    skipBlanks();
    if (skipWord("->")) {
      if (!parseAssignment()) return false;
      growing = false;
      continue;
    }
    if (length > LENGTH_MAX - offset) return error(expression, "the disk would be larger than 2^63-1");
    if (growing && fresh) {
      grow(scope);
    } else {
      if (!put(scope, offset, length, node)) return outOfMemory();
      growing = fresh && isLast(scope, node);
    }
    offset += length;
  }
  names = outerNames;
  return true;
}

/** Whether the last segment of a scope is `node`. */
function isLast(scope: usize, node: usize): bool {
  const outer = changetype<Node>(scope);
  return outer.count != 0 && segmentAt(outer, outer.count - 1).node == node;
}

/** Makes the literal at the end of a scope longer by the one read last, which lies behind it. */
function grow(scope: usize): void {
  const outer = changetype<Node>(scope);
  const segment = segmentAt(outer, outer.count - 1);
  segment.length += length;
  changetype<Node>(segment.node).length += length;
  outer.length = max(outer.length, segment.offset + segment.length);
  free(node, offsetof<Node>());
}

/** Reads what comes after an `@`; leaves the new offset in `value`. */
function parseMove(offset: u64): bool {
  const start = at;
  if (skip(0x2b)) { // +
    if (!size()) return false;
    if (value > LENGTH_MAX - offset) return error(start, "the offset is above 2^63-1");
    setValue(offset + value);
  } else if (skip(0x2d)) { // -
    if (!size()) return false;
    if (value > offset) return error(start, "the offset is below 0");
    setValue(offset - value);
  } else if (skip(0x5e)) { // ^
    if (!size()) return false;
    if (!value) return error(start, "nothing can be aligned to 0");
    const rest = offset % value;
    if (rest && value - rest > LENGTH_MAX - offset) {
      return error(start, "the offset is above 2^63-1");
    }
    setValue(rest ? offset + value - rest : offset);
  } else {
    if (!size()) return false;
    if (value > LENGTH_MAX) return error(start, "the offset is above 2^63-1");
  }
  return true;
}

/** Reads an expression without what modifies it. */
function parsePrimary(depth: u32): bool {
  const start = at;
  fresh = false;
  const character = peek();
  if (character >= 0x30 && character <= 0x39) {
    if (!number()) return false;
    if (value > 255) return error(start, "a byte is 0 to 255; for more, use le16: or be16: and so on");
    return setLiteral(1, false);
  }
  if (skip(0x28)) return parseGroup(depth + 1, start); // (
  if (skip(0x22)) return parseString(start); // "
  if (skip(0x5c)) return parseReference(start); // \
  if (skipWord("le16:")) return parseWord(2, false);
  if (skipWord("be16:")) return parseWord(2, true);
  if (skipWord("le32:")) return parseWord(4, false);
  if (skipWord("be32:")) return parseWord(4, true);
  if (skipWord("le64:")) return parseWord(8, false);
  if (skipWord("be64:")) return parseWord(8, true);
  if (character == 0x3c) return error(start, "a plugin cannot read files or run scripts; use hex="); // <
  if (character == 0x24) return error(start, "a plugin knows no variables; use \\names"); // $
  if (character == 0x2a) return error(start, "there is nothing to repeat in front of this"); // *
  if (character == 0x5b) return error(start, "there is nothing to slice in front of this"); // [
  return unexpected("a byte, a string, a word, a group, a name or an offset");
}

/** Makes the lowest `bytes` bytes of `value` a literal. */
function setLiteral(bytes: u32, bigEndian: bool): bool {
  const start = literals;
  for (let i: u32 = 0; i < bytes; i++) {
    const shift = (bigEndian ? bytes - 1 - i : i) * 8;
    store<u8>(literals++, <u8>(value >> shift));
  }
  return finishLiteral(start);
}

/** The bytes from `start` to `literals` become the expression. */
function finishLiteral(start: usize): bool {
  length = literals - start;
  fresh = length != 0;
  node = fresh ? makeLiteral(start, length) : 0;
  return node != 0 || !fresh || outOfMemory();
}

function parseWord(bytes: u32, bigEndian: bool): bool {
  const start = at;
  if (!number()) return false;
  if (bytes < 8 && value >> (bytes * 8)) return error(start, "the number does not fit into the word");
  return setLiteral(bytes, bigEndian);
}

function parseGroup(depth: u32, start: usize): bool {
  if (depth > DEPTH_MAX) return error(start, "parentheses are nested more than 64 deep");
  const scope = makeScope();
  if (!scope) return outOfMemory();
  if (!parseScope(scope, depth, start)) return false;
  const group = changetype<Node>(scope);
  fresh = false;
  length = group.length;
  node = scope;
  if (!group.count) {
    node = 0;
  } else if (group.count == 1) {
    const only = segmentAt(group, 0);
    const whole = only.length == length && !only.start;
    if (whole && changetype<Node>(only.node).length == length) node = only.node;
  }
  return true;
}

/** Reads a string up to its closing quote. */
function parseString(start: usize): bool {
  const first = literals;
  while (!skip(0x22)) {
    if (atEnd()) return error(start, "this string is not closed");
    const character = peek();
    advance(1);
    if (character == 0x5c) {
      if (!parseEscape()) return false;
    } else {
      store<u8>(literals++, character);
    }
  }
  return finishLiteral(first);
}

/** Reads what comes after a backslash in a string, as in C. */
function parseEscape(): bool {
  const start = at - 1;
  const character = peek();
  let byte: u32 = 256;
  if (digit(character) < 8) {
    byte = 0;
    for (let i = 0; i < 3 && digit(peek()) < 8; i++) {
      byte = byte * 8 + digit(peek());
      advance(1);
    }
    if (byte > 255) return error(start, "a byte is at most \\377");
  } else {
    advance(1);
    if (character == 0x22 || character == 0x27 || character == 0x5c) byte = character;
    else if (character == 0x61) byte = 0x07; // a
    else if (character == 0x62) byte = 0x08; // b
    else if (character == 0x65) byte = 0x1b; // e
    else if (character == 0x66) byte = 0x0c; // f
    else if (character == 0x6e) byte = 0x0a; // n
    else if (character == 0x72) byte = 0x0d; // r
    else if (character == 0x74) byte = 0x09; // t
    else if (character == 0x76) byte = 0x0b; // v
    else if (character == 0x78 && digit(peek()) < 16 && digit(peek(1)) < 16) { // x
      byte = <u32>digit(peek()) * 16 + digit(peek(1));
      advance(2);
    }
    if (byte > 255) return error(start, "unknown escape; there are \\n \\t \\xHH \\OOO as in C");
  }
  store<u8>(literals++, <u8>byte);
  return true;
}

/** Applies the `*N` and `[N:M]` that follow an expression. */
function parsePostfix(): bool {
  while (true) {
    skipBlanks();
    const start = at;
    if (skip(0x2a)) { // *
      skipBlanks();
      if (!size() || !repeat(start)) return false;
    } else if (skip(0x5b)) { // [
      if (!parseSlice(start)) return false;
    } else {
      return true;
    }
  }
}

/** Makes the expression `value` times itself. */
function repeat(start: usize): bool {
  fresh = false;
  const count = value;
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

/** Makes the expression a part of itself: `[from:to]`, either of which may be left out. */
function parseSlice(start: usize): bool {
  let from: u64 = 0;
  let to = length;
  skipBlanks();
  if (peek() != 0x3a) {
    if (!size()) return false;
    from = value;
    skipBlanks();
  }
  if (!skip(0x3a)) return unexpected("a colon");
  skipBlanks();
  if (peek() != 0x5d) {
    if (!size()) return false;
    to = value;
    skipBlanks();
  }
  if (!skip(0x5d)) return unexpected("a closing bracket");
  if (from > to) return error(start, "the slice ends before it begins");
  if (to > length) {
    begin(start);
    say("the slice ends behind the expression, which is ");
    sayNumber(length);
    say(" bytes long");
    return end(start);
  }
  return cut(from, to);
}

function cut(from: u64, to: u64): bool {
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

/** Reads a name, after its backslash. */
function parseName(): bool {
  nameText = at;
  while (isNameCharacter(peek()) && !(peek() == 0x2d && peek(1) == 0x3e)) advance(1);
  nameLength = at - nameText;
  return nameLength != 0 || unexpected("a name: letters, digits, dashes and underscores");
}

function isNameCharacter(character: u8): bool {
  const letter = character | 0x20;
  return (letter >= 0x61 && letter <= 0x7a) || (character >= 0x30 && character <= 0x39) ||
    character == 0x2d || character == 0x5f;
}

/** Gives the expression a name for the rest of this scope. */
function parseAssignment(): bool {
  skipBlanks();
  if (!skip(0x5c)) return unexpected("a backslash and a name");
  if (!parseName()) return false;
  const address = alloc(offsetof<Name>(), 8);
  if (!address) return outOfMemory();
  const name = changetype<Name>(address);
  name.next = names;
  name.text = nameText;
  name.textLength = nameLength;
  name.node = node;
  name.length = length;
  names = address;
  return true;
}

/** The expression becomes what a name stands for. */
function parseReference(start: usize): bool {
  if (!parseName()) return false;
  for (let name = names; name; name = changetype<Name>(name).next) {
    const found = changetype<Name>(name);
    if (found.textLength != nameLength || memory.compare(found.text, nameText, nameLength)) continue;
    node = found.node;
    length = found.length;
    return true;
  }
  begin(start);
  say("nothing is called \\");
  sayBytes(nameText, nameLength);
  say(" here");
  return end(start);
}
