// SPDX-License-Identifier: MIT
// The disk in a VirtualBox disk image (README.md beside this folder), in blocking style: what is needed of the
// block map is read for each request, and then the data is.

import {
  alloc,
  CallFlag,
  closeHandle,
  contextOf,
  Errno,
  extent,
  ExtentFlag,
  free,
  Info,
  infoOf,
  nextForward,
  nextSize,
  openHandle,
  readBelow,
  replyZero,
  Support,
  ZeroFlag,
} from "../../sdk/assemblyscript/assembly";
import { FREE, HEAD_BYTES, Image, readHead, ZERO } from "./image";

export { sb_alloc, sb_free } from "../../sdk/assemblyscript/assembly";

/** Bytes of the map that are read at a time, with what has to be read to have whole units. */
const PART_BYTES: u32 = 16384;
const BUFFER_BYTES: u32 = PART_BYTES + 2 * 65536;

/** What was read last, and which entries of the map are there. An instance has one request at a time. */
let buffer: usize = 0;
let partOf: i32 = -1;
let partStart: u32 = 0;
let partEnd: u32 = 0;
let partAt: usize = 0;

export function sb_ready(): i32 {
  buffer = alloc(BUFFER_BYTES, 4096);
  return buffer ? 0 : Errno.ENOMEM;
}

export function sb_open(name: usize, nameLength: usize, flags: i32): i32 {
  const image = alloc(offsetof<Image>(), 8);
  const handle = image ? openHandle(<u32>image) : -1;
  if (handle >= 0) return handle;
  if (image) free(image, offsetof<Image>());
  return -Errno.ENOMEM;
}

export function sb_close(handle: i32): void {
  free(contextOf(handle), offsetof<Image>());
  closeHandle(handle);
}

// @ts-ignore: decorator
@inline
function imageOf(handle: i32): Image {
  return changetype<Image>(<usize>contextOf(handle));
}

export function sb_size(handle: i32): i64 {
  const image = imageOf(handle);
  image.deviceBytes = nextSize(handle, 0);
  image.unit = infoOf(handle, 0).blockMinimum;
  if (image.deviceBytes < HEAD_BYTES) memory.fill(buffer, 0, HEAD_BYTES);
  else {
    const errno = readUnits(handle, image, 0, HEAD_BYTES);
    if (errno) return -errno;
  }
  const errno = readHead(image, buffer);
  return errno ? -errno : image.size;
}

export function sb_info(handle: i32, out: usize): i32 {
  const info = changetype<Info>(out);
  info.blockMinimum = max(info.blockMinimum, 1);
  info.extents = Support.Native;
  // It would go to the device below, where it means something else.
  info.cache = Support.None;
  return 0;
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const image = imageOf(handle);
  for (let at: u64 = 0; at < count;) {
    const block = <u32>((offset + at) / image.blockBytes);
    const within = (offset + at) % image.blockBytes;
    let length = min(count - at, image.blockBytes - within);
    const errno = loadEntry(handle, image, block);
    if (errno) return errno;
    const place = entryOf(block);
    if (place == FREE || place == ZERO) {
      // Blocks that are not there are answered together, as far as the map is at hand.
      for (let next = block + 1; at + length < count && next < partEnd && isHole(next); next++) {
        length = min(count - at, length + image.blockBytes);
      }
      replyZero(request, at, length, ZeroFlag.Hole);
    } else {
      const from = image.data + <u64>place * image.blockBytes + within;
      const failed = from + length > image.deviceBytes
        ? Errno.EIO
        : nextForward(request, 0, at, length, from, flags, 0);
      if (failed) return failed;
    }
    at += length;
  }
  return 0;
}

export function sb_extents(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const image = imageOf(handle);
  const end = offset + count;
  let start = offset;
  while (start < end) {
    const block = <u32>(start / image.blockBytes);
    const errno = loadEntry(handle, image, block);
    if (errno) return errno;
    const hole = isHole(block);
    let next = block + 1;
    while (next < partEnd && <u64>next * image.blockBytes < end && isHole(next) == hole) next++;
    const stop = min(<u64>next * image.blockBytes, image.size);
    extent(request, stop - start, hole ? ExtentFlag.HoleZero : ExtentFlag.Data);
    if (flags & CallFlag.ReqOne) break;
    start = stop;
  }
  return 0;
}

/** Whether the entry, which must have been loaded, names no block. */
function isHole(block: u32): bool {
  const place = entryOf(block);
  return place == FREE || place == ZERO;
}

// @ts-ignore: decorator
@inline
function entryOf(block: u32): u32 {
  return load<u32>(partAt + (<usize>(block - partStart) << 2));
}

/** Reads the part of the map that the entry of `block` is in, and what comes after it, as far as there is room. */
function loadEntry(handle: i32, image: Image, block: u32): i32 {
  if (partOf == handle && block >= partStart && block < partEnd) return 0;
  partOf = -1;
  const count = min(PART_BYTES >> 2, image.blocks - block);
  const from = image.map + (<u64>block << 2);
  const errno = readUnits(handle, image, from, count << 2);
  if (errno) return errno;
  partOf = handle;
  partStart = block;
  partEnd = block + count;
  return 0;
}

/** Reads `count` bytes into the buffer, to `partAt`, in whole units of the device. */
function readUnits(handle: i32, image: Image, offset: u64, count: u32): i32 {
  const unit = <u64>image.unit;
  const start = offset & ~(unit - 1);
  const stop = min((offset + count + unit - 1) & ~(unit - 1), image.deviceBytes);
  partOf = -1;
  partAt = buffer + <usize>(offset - start);
  return readBelow(handle, buffer, stop - start, start);
}
