// SPDX-License-Identifier: MIT
// For plugins whose manifest says "threads": "blocking" (wasm-plugins/abi/README.md, section 18): functions that
// return when what they do has ended. All others with a token do so, too, when it is 0.

import { filePread, filePwrite, fileSync, netOpen, netRead, netWrite } from "./granted";
import { nextFlush, nextPread, nextPwrite } from "./next";

/** Waits. Returns 0 or an errno. */
// @ts-ignore: decorator
@external("sandblock:v3", "sleep")
export declare function sleep(nanoseconds: u64): i32;

/** Reads `count` bytes from `offset` of what is below. Returns 0 or an errno. */
export function readBelow(handle: i32, pointer: usize, count: u64, offset: u64, child: i32 = 0): i32 {
  return nextPread(handle, child, pointer, count, offset, 0, 0);
}

/** Writes to what is below; flag CallFlag.Fua. Returns 0 or an errno. */
export function writeBelow(
  handle: i32,
  pointer: usize,
  count: u64,
  offset: u64,
  flags: i32 = 0,
  child: i32 = 0,
): i32 {
  return nextPwrite(handle, child, pointer, count, offset, flags, 0);
}

/** Makes what was written below durable. Returns 0 or an errno. */
export function flushBelow(handle: i32, child: i32 = 0): i32 {
  return nextFlush(handle, child, 0, 0);
}

/** Reads all of `count` bytes of a file. Returns 0 or an errno. */
export function readFile(file: i32, pointer: usize, count: u64, offset: u64): i32 {
  return filePread(file, pointer, count, offset, 0, 0);
}

/** Writes all of `count` bytes to a file; flag CallFlag.Fua. Returns 0 or an errno. */
export function writeFile(file: i32, pointer: usize, count: u64, offset: u64, flags: i32 = 0): i32 {
  return filePwrite(file, pointer, count, offset, flags, 0);
}

/** Makes what was written to a file durable. Returns 0 or an errno. */
export function syncFile(file: i32): i32 {
  return fileSync(file, 0, 0);
}

/** A connection to `HOST:PORT`, or a negative errno. */
export function connect(address: usize, length: usize): i32 {
  return netOpen(address, length, 0);
}

/**
 * Receives up to `room` bytes behind the 8 at `buffer`, which are the host's. Returns how many, 0 at the end of
 * the stream, or a negative errno.
 */
export function receive(stream: i32, buffer: usize, room: u32): i32 {
  store<u32>(buffer, room);
  const errno = netRead(stream, buffer, 0);
  return errno ? -errno : load<i32>(buffer + 4);
}

/** Sends all of `count` bytes. Returns 0 or an errno. */
export function send(stream: i32, pointer: usize, count: u64): i32 {
  return netWrite(stream, pointer, count, 0);
}
