// SPDX-License-Identifier: MIT
// Disk whose contents are given on the command line (README.md beside this folder). What is
// described stays a rope; what is written lies over it in a store.

import {
  alloc,
  CallFlag,
  DataFlag,
  declareImmediate,
  Errno,
  extent,
  ExtentFlag,
  failWith,
  getSize,
  Info,
  replyBuffer,
  replyData,
  replyZero,
  reserve,
  setSize,
  Support,
  ZeroFlag,
} from "../../sdk/assemblyscript/assembly";
import {
  BLOCK_BYTES,
  createStore,
  discard,
  provision,
  resident,
  runLength,
  runPointer,
  scan as scanStore,
  write,
} from "../../lib/sparse/assembly/store";
import { decodeBase64, decodedLength, decodeHex } from "./encodings";
import { parse } from "./parser";
import { render, runEnd, runIsData, scan as scanRope } from "./render";
import { makeLiteral, makeScope, Node, put } from "./rope";

export {
  sb_alloc,
  sb_cache,
  sb_flush,
  sb_free,
  sb_open,
  sb_size,
} from "../../sdk/assemblyscript/assembly";

/** Indices of the parameters in the manifest. */
const enum Parameter {
  Data = 0,
  Hex = 1,
  Base64 = 2,
  Raw = 3,
  Size = 4,
}

/** Address space that data never takes, so that a full disk can still be read and trimmed. */
const HOST_RESERVE: usize = 64 << 20;
/** Extents in one answer, and looks at the contents for one; the client asks again for the rest. */
const EXTENTS_MAX: u32 = 4096;

/** The text that was given, how it is written, and how many were. */
let text: usize = 0;
let textLength: usize = 0;
let textParameter = Parameter.Data;
let texts: u32 = 0;
let sizeGiven = false;

/** The contents before anything was written. */
let root: usize = 0;
const block = memory.data(4096);

export function sb_param_int(index: i32, value: i64): void {
  setSize(value);
  sizeGiven = true;
}

export function sb_param_bytes(index: i32, pointer: usize, length: usize): void {
  texts++;
  textParameter = <Parameter>index;
  textLength = length;
  text = alloc(length, 1);
  if (text) memory.copy(text, pointer, length);
}

export function sb_ready(): i32 {
  if (texts != 1) {
    return failWith(Errno.EINVAL, "cannot set up the disk: give one of data, hex, base64 and raw");
  }
  if (!text) return noMemory();
  reserve(HOST_RESERVE);
  if (textParameter == Parameter.Data) {
    root = parse(text, textLength);
    if (!root) return Errno.EINVAL;
  } else {
    decodedLength = textLength;
    if (textParameter == Parameter.Hex && !decodeHex(text, textLength)) return Errno.EINVAL;
    if (textParameter == Parameter.Base64 && !decodeBase64(text, textLength)) return Errno.EINVAL;
    root = makeScope();
    const literal = makeLiteral(text, decodedLength);
    if (!root || !literal || !put(root, 0, decodedLength, literal)) return noMemory();
  }
  if (!sizeGiven) setSize(changetype<Node>(root).length);
  return createStore(getSize()) ? 0 : noMemory();
}

function noMemory(): i32 {
  return failWith(Errno.ENOMEM, "cannot set up the disk: no memory");
}

export function sb_info(handle: i32, out: usize): i32 {
  const info = changetype<Info>(out);
  declareImmediate(info);
  info.fastZero = Support.Native;
  return 0;
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const pointer = resident(offset, count);
  if (pointer) {
    replyData(request, 0, pointer, count, DataFlag.Stable);
    return 0;
  }
  const end = offset + count;
  for (let at = offset; at < end;) {
    scanStore(at, end);
    const length = runLength;
    if (runPointer) replyData(request, at - offset, runPointer, length, DataFlag.Stable);
    else if (!readRope(request, at - offset, length, at)) return noMemoryToRead();
    at += length;
  }
  return 0;
}

/** Answers a part of a read with the contents that the disk had at first. */
function readRope(request: i32, at: u64, count: u64, offset: u64): bool {
  const end = offset + count;
  while (offset < end) {
    scanRope(root, offset, end);
    const length = runEnd - offset;
    if (runIsData) {
      const pointer = replyBuffer(request, at, length);
      if (!pointer) return false;
      render(root, offset, <usize>length, pointer);
    } else {
      replyZero(request, at, length, ZeroFlag.Hole);
    }
    at += length;
    offset += length;
  }
  return true;
}

function noMemoryToRead(): i32 {
  return failWith(Errno.ENOMEM, "cannot read: no memory for the answer");
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  return storeEdges(offset, count) && write(offset, count, data) ? 0 : full();
}

export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return makeHole(offset, count);
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  if (flags & CallFlag.MayTrim) return makeHole(offset, count);
  return storeEdges(offset, count) && provision(offset, count) ? 0 : full();
}

function makeHole(offset: u64, count: u64): i32 {
  // Where the contents have become too complicated, zeroes are stored over them.
  if (!put(root, offset, count, 0)) {
    return storeEdges(offset, count) && provision(offset, count) ? 0 : full();
  }
  discard(offset, count);
  return 0;
}

/** Stores the blocks that a write begins and ends in, where it leaves some of their bytes alone. */
function storeEdges(offset: u64, count: u64): bool {
  const end = offset + count;
  return (offset % BLOCK_BYTES == 0 || storeBlock(offset)) &&
    (end % BLOCK_BYTES == 0 || storeBlock(end - 1));
}

/** Stores the contents of the block at `offset` unless they are stored already. */
function storeBlock(offset: u64): bool {
  if (resident(offset, 1)) return true;
  const start = offset - offset % BLOCK_BYTES;
  render(root, start, BLOCK_BYTES, block);
  return write(start, BLOCK_BYTES, block);
}

export function sb_extents(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const end = offset + count;
  let left = flags & CallFlag.ReqOne ? 1 : EXTENTS_MAX;
  let looks = EXTENTS_MAX;
  let length: u64 = 0;
  let lastIsData = false;
  for (let at = offset; at < end && looks; looks--) {
    const run = lookAt(at, end);
    if (length && foundData != lastIsData) {
      addExtent(request, length, lastIsData);
      length = 0;
      if (!--left) return 0;
    }
    lastIsData = foundData;
    length += run;
    at += run;
  }
  addExtent(request, length, lastIsData);
  return 0;
}

/** Whether `lookAt` found data. */
let foundData = false;

/** How many bytes from `at` on are alike, as far as one look tells. */
function lookAt(at: u64, end: u64): u64 {
  scanStore(at, end);
  foundData = runPointer != 0;
  if (foundData) return runLength;
  scanRope(root, at, at + runLength);
  foundData = runIsData;
  return runEnd - at;
}

function addExtent(request: i32, length: u64, isData: bool): void {
  extent(request, length, isData ? ExtentFlag.Data : ExtentFlag.HoleZero);
}

function full(): i32 {
  return failWith(Errno.ENOSPC, "cannot store data: the memory of the plugin is used up");
}
