// SPDX-License-Identifier: MIT
// The language in which the data plugin's disks are described (README.md, "Language"): recursive
// descent, a description in, a rope out.

import { free, say, sayNumber } from "../../sdk/assemblyscript/assembly";
import {
  cut,
  fresh,
  length,
  makeLiteralRoom,
  node,
  outOfMemory,
  repeat,
  setExpression,
  setWord,
} from "./expression";
import {
  advance,
  at,
  atEnd,
  begin,
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
import { names, parseAssignment, parseReference, setNames } from "./names";
import { LENGTH_MAX, makeScope, Node, put, segmentAt } from "./rope";
import { parseString } from "./strings";

/** Parentheses may be nested this deep. */
const DEPTH_MAX: u32 = 64;

/** The rope that the text describes; 0, after saying why, where it describes none. */
export function parse(pointer: usize, textLength: usize): usize {
  setText(pointer, textLength);
  const scope = makeScope();
  if (!scope) outOfMemory();
  return scope && makeLiteralRoom(textLength) && parseScope(scope, 0, pointer) ? scope : 0;
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
    if (length > LENGTH_MAX - offset) {
      return error(expression, "the disk would be larger than 2^63-1");
    }
    if (growing && fresh) {
      grow(scope);
    } else {
      if (!put(scope, offset, length, node)) return outOfMemory();
      growing = fresh && isLast(scope, node);
    }
    offset += length;
  }
  setNames(outerNames);
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
  const character = peek();
  if (character >= 0x30 && character <= 0x39) {
    if (!number()) return false;
    if (value > 255) {
      return error(start, "a byte is 0 to 255; for more, use le16: or be16: and so on");
    }
    return setWord(value, 1, false);
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

function parseWord(bytes: u32, bigEndian: bool): bool {
  const start = at;
  if (!number()) return false;
  if (bytes < 8 && value >> (bytes * 8)) {
    return error(start, "the number does not fit into the word");
  }
  return setWord(value, bytes, bigEndian);
}

function parseGroup(depth: u32, start: usize): bool {
  if (depth > DEPTH_MAX) return error(start, "parentheses are nested more than 64 deep");
  const scope = makeScope();
  if (!scope) return outOfMemory();
  if (!parseScope(scope, depth, start)) return false;
  const group = changetype<Node>(scope);
  setExpression(group.count ? scope : 0, group.length);
  if (group.count == 1) {
    // A node of one part that fills it is that part.
    const only = segmentAt(group, 0);
    const whole = only.length == length && !only.start;
    if (whole && changetype<Node>(only.node).length == length) setExpression(only.node, length);
  }
  return true;
}

/** Applies the `*N` and `[N:M]` that follow an expression. */
function parsePostfix(): bool {
  while (true) {
    skipBlanks();
    const start = at;
    if (skip(0x2a)) { // *
      skipBlanks();
      if (!size() || !repeat(value, start)) return false;
    } else if (skip(0x5b)) { // [
      if (!parseSlice(start)) return false;
    } else {
      return true;
    }
  }
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
