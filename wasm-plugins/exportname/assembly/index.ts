// SPDX-License-Identifier: MIT
// Changes which exports clients are told of and may open (README.md beside this folder). Requests go past it.

import {
  alloc,
  closeHandle,
  Errno,
  exportAdd,
  exportDefault,
  fail,
  failWith,
  free,
  nextDefault,
  nextList,
  openHandle,
  say,
  sayByte,
  sayBytes,
} from "../../sdk/assemblyscript/assembly";
import { atEnd, readText, restLength, restPointer, takeWord } from "../../lib/text/assembly";

export { sb_alloc, sb_free } from "../../sdk/assemblyscript/assembly";

/** Values of exportname-list by position. */
const enum List {
  Keep = 0,
  Error = 1,
  Empty = 2,
  DefaultOnly = 3,
  Explicit = 4,
}

/** Values of exportdesc. */
const enum Description {
  Keep = 0,
  None = 1,
  Fixed = 2,
}

/** Parameters by position. */
const enum Parameter {
  Default = 0,
  List = 1,
  Strict = 2,
  Name = 3,
  Description = 4,
}

/** A text that was kept; names are a list in their order. */
@unmanaged
class Text {
  next: usize;
  pointer: usize;
  length: usize;
}

const NAME_BYTES_MAX: usize = 4096;
const nameBuffer = memory.data(4096);

let list: i32 = List.Keep;
let strict: bool = false;
let description: i32 = Description.Keep;
let fixedText: usize = 0;
let defaultName: usize = 0;
let firstName: usize = 0;
let lastName: usize = 0;
let status: i32 = 0;

/** What the child lists, as `nextList` packs it. */
let packed: usize = 0;
let packedBytes: usize = 0;

export function sb_param_int(index: i32, value: i64): void {
  if (index == Parameter.List) list = <i32>value;
  else strict = value == 1;
}

function keep(pointer: usize, length: usize): usize {
  const copy = alloc(length, 1);
  const text = alloc(offsetof<Text>(), 8);
  if (!copy || !text) {
    status = Errno.ENOMEM;
    return 0;
  }
  memory.copy(copy, pointer, length);
  const one = changetype<Text>(text);
  one.next = 0;
  one.pointer = copy;
  one.length = length;
  return text;
}

export function sb_param_bytes(index: i32, pointer: usize, length: usize): void {
  if (status) return;
  if (length > NAME_BYTES_MAX) {
    status = failWith(Errno.EINVAL, "cannot use names or descriptions of more than 4096 bytes");
    return;
  }
  if (index == Parameter.Description) parseDescription(pointer, length);
  else if (index == Parameter.Default) defaultName = length ? keep(pointer, length) : 0;
  else {
    const name = keep(pointer, length);
    if (!name) return;
    if (lastName) changetype<Text>(lastName).next = name;
    else firstName = name;
    lastName = name;
  }
}

function parseDescription(pointer: usize, length: usize): void {
  readText(pointer, length);
  if (takeWord("keep") && atEnd()) return;
  readText(pointer, length);
  if (takeWord("none") && atEnd()) {
    description = Description.None;
    return;
  }
  readText(pointer, length);
  if (takeWord("fixed:")) {
    description = Description.Fixed;
    fixedText = keep(restPointer(), restLength());
    return;
  }
  say("cannot use exportdesc=");
  sayBytes(pointer, min(length, 64));
  say(": it is keep, none, or fixed:TEXT");
  status = fail(Errno.EINVAL);
}

export function sb_ready(): i32 {
  return status;
}

function sameText(text: usize, pointer: usize, length: usize): bool {
  const one = changetype<Text>(text);
  return one.length == length && memory.compare(one.pointer, pointer, length) == 0;
}

/** Gets what the child lists. Returns 0 or an errno. */
function pack(): i32 {
  packedBytes = nextList(0, 0, 0);
  if (!packedBytes) return failWith(Errno.EIO, "cannot list the exports below");
  packed = alloc(packedBytes, 8);
  if (!packed) return Errno.ENOMEM;
  if (nextList(0, packed, packedBytes) == packedBytes) return 0;
  unpack();
  return failWith(Errno.EAGAIN, "the exports below have changed while they were listed");
}

function unpack(): void {
  free(packed, packedBytes);
}

/** Adds an export; the other text is what it is called below. */
function addExport(name: usize, length: usize, text: usize, textLength: usize): void {
  if (description == Description.None) textLength = 0;
  if (description == Description.Fixed) {
    text = changetype<Text>(fixedText).pointer;
    textLength = changetype<Text>(fixedText).length;
  }
  exportAdd(name, length, text, textLength);
}

/** Adds an export with the description that it has below, if it is there. */
function addKnown(name: usize, length: usize): void {
  let at = packed + 4;
  for (let left = load<u32>(packed); left; left--) {
    const nameLength = <usize>load<u32>(at);
    const textLength = <usize>load<u32>(at + 4);
    if (nameLength == length && !memory.compare(at + 8, name, length)) {
      addExport(name, length, at + 8 + nameLength, textLength);
      return;
    }
    at += 8 + nameLength + textLength;
  }
  addExport(name, length, 0, 0);
}

function addAll(): void {
  let at = packed + 4;
  for (let left = load<u32>(packed); left; left--) {
    const nameLength = <usize>load<u32>(at);
    const textLength = <usize>load<u32>(at + 4);
    addExport(at + 8, nameLength, at + 8 + nameLength, textLength);
    at += 8 + nameLength + textLength;
  }
}

/** Writes the name of the default export to `nameBuffer`; its length, or an errno below 0. */
function findDefault(): i32 {
  if (!defaultName) return nextDefault(0, nameBuffer, NAME_BYTES_MAX);
  const one = changetype<Text>(defaultName);
  memory.copy(nameBuffer, one.pointer, min(one.length, NAME_BYTES_MAX));
  return <i32>one.length;
}

export function sb_list(): i32 {
  if (list == List.Error) return failWith(Errno.EPERM, "clients may not list the exports");
  if (list == List.Empty) return 0;
  const errno = pack();
  if (errno) return errno;
  if (list == List.Keep) addAll();
  else if (list == List.DefaultOnly) {
    const length = findDefault();
    if (length >= 0) addKnown(nameBuffer, length);
  } else {
    for (let name = firstName; name; name = changetype<Text>(name).next) {
      addKnown(changetype<Text>(name).pointer, changetype<Text>(name).length);
    }
  }
  unpack();
  return 0;
}

export function sb_default(): i32 {
  const length = findDefault();
  if (length >= 0) exportDefault(nameBuffer, length);
  return 0;
}

export function sb_open(name: usize, nameLength: usize, flags: i32): i32 {
  if (strict && !isGiven(name, nameLength)) {
    say("there is no export \"");
    sayBytes(name, nameLength);
    sayByte(0x22);
    return -fail(Errno.ENOENT);
  }
  const handle = openHandle(0);
  return handle < 0 ? -Errno.ENOMEM : handle;
}

function isGiven(pointer: usize, length: usize): bool {
  for (let name = firstName; name; name = changetype<Text>(name).next) {
    if (sameText(name, pointer, length)) return true;
  }
  return false;
}

export function sb_close(handle: i32): void {
  closeHandle(handle);
}

/** Without a description of its own, that of the child stands. */
export function sb_describe(handle: i32): i32 {
  if (description != Description.Keep) addExport(0, 0, 0, 0);
  return 0;
}
