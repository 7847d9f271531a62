// SPDX-License-Identifier: MIT
// Names that expressions have, each up to the end of the group that it was given in.

import { alloc, say, sayBytes } from "../../sdk/assemblyscript/assembly";
import { length, node, outOfMemory, setExpression } from "./expression";
import { advance, at, begin, end, peek, skip, skipBlanks, unexpected } from "./lexer";

/** A name and what it stands for. */
@unmanaged
class Name {
  next: usize;
  text: usize;
  textLength: usize;
  node: usize;
  length: u64;
}

/** The names that are known, as a list, innermost first. */
export let names: usize = 0;

/** Address of the name that was read last, and its length. */
let nameText: usize = 0;
let nameLength: usize = 0;

/** Forgets the names that were given since `names` was `to`. */
export function setNames(to: usize): void {
  names = to;
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
export function parseAssignment(): bool {
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
export function parseReference(start: usize): bool {
  if (!parseName()) return false;
  for (let name = names; name; name = changetype<Name>(name).next) {
    const found = changetype<Name>(name);
    if (found.textLength != nameLength || memory.compare(found.text, nameText, nameLength)) {
      continue;
    }
    setExpression(found.node, found.length);
    return true;
  }
  begin(start);
  say("nothing is called \\");
  sayBytes(nameText, nameLength);
  say(" here");
  return end(start);
}
