// SPDX-License-Identifier: MIT
// What the host offers a plugin: the imports of plugin ABI 3.0 (wasm-plugins/abi/README.md).
// A request is answered while the call for it runs, with the request number that the call brought.

/**
 * Answers `length` bytes of a read, `at` bytes after its start, with the bytes at `pointer`.
 * DataFlag.Stable: they stay as they are until the next write, trim or zero, so nobody copies them.
 */
// @ts-ignore: decorator
@external("sandblock:v3", "reply_data")
export declare function replyData(
  request: i32,
  at: u64,
  pointer: usize,
  length: u64,
  flags: i32,
): void;

/** Memory to put `length` bytes of the answer to a read in; 0 when there is none. */
// @ts-ignore: decorator
@external("sandblock:v3", "reply_buffer")
export declare function replyBuffer(request: i32, at: u64, length: u64): usize;

/** Answers `length` bytes of a read with zeroes, which ZeroFlag.Hole says take no space. */
// @ts-ignore: decorator
@external("sandblock:v3", "reply_zero")
export declare function replyZero(request: i32, at: u64, length: u64, flags: i32): void;

/** Fails `length` bytes of a read; the rest of it is good. */
// @ts-ignore: decorator
@external("sandblock:v3", "reply_error")
export declare function replyError(request: i32, at: u64, length: u64, errno: i32): void;

/** Adds an extent to the answer; the first begins at the offset of the request. */
// @ts-ignore: decorator
@external("sandblock:v3", "extent")
export declare function extent(request: i32, length: u64, flags: i32): void;

/** Says in UTF-8 why the running call is going to fail. `message.ts` makes this comfortable. */
// @ts-ignore: decorator
@external("sandblock:v3", "error_text")
export declare function errorText(pointer: usize, length: usize): void;

/** Names an export, in `sb_list`. */
// @ts-ignore: decorator
@external("sandblock:v3", "export_add")
export declare function exportAdd(
  name: usize,
  nameLength: usize,
  description: usize,
  descriptionLength: usize,
): void;

/** Names the export that the empty name stands for, in `sb_default`. */
// @ts-ignore: decorator
@external("sandblock:v3", "export_default")
export declare function exportDefault(name: usize, nameLength: usize): void;

/** Writes who opens the export, in words, and returns the length of the whole text. */
// @ts-ignore: decorator
@external("sandblock:v3", "peer")
export declare function peer(pointer: usize, capacity: usize): usize;

/** Logs a line of UTF-8 at a LogLevel. */
// @ts-ignore: decorator
@external("sandblock:v3", "log")
export declare function log(level: i32, pointer: usize, length: usize): void;

/** Makes bytes zero, and gives the whole system pages among them back to the system. */
// @ts-ignore: decorator
@external("sandblock:v3", "release")
export declare function release(pointer: usize, length: usize): void;
