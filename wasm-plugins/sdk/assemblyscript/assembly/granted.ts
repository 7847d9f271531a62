// SPDX-License-Identifier: MIT
// What the user has granted, besides the clock (later.ts): random numbers, files, the network
// (wasm-plugins/abi/README.md, section 17). Calls on files return 0, an errno or PENDING; then
// `sb_done(token, result)` is called. With the token 0 they wait, which calls for requests must not.

/** Flags of `fileOpen`. The others need Write. */
export const enum FileFlag {
  Write = 1,
  Create = 2,
  /** With Create: fail where there is a file. */
  Exclusive = 4,
  Truncate = 8,
  /** Fail with EBUSY where somebody has it open with this flag. */
  Lock = 16,
}

/** Fills memory, at most 65,536 bytes, with random numbers. Returns 0 or an errno. */
// @ts-ignore: decorator
@external("sandblock:v3", "random")
export declare function random(pointer: usize, length: usize): i32;

/** Opens a file. Returns its number or a negative errno. */
// @ts-ignore: decorator
@external("sandblock:v3", "file_open")
export declare function fileOpen(path: usize, length: usize, flags: i32): i32;

// @ts-ignore: decorator
@external("sandblock:v3", "file_close")
export declare function fileClose(file: i32): void;

/** Bytes, or a negative errno. */
// @ts-ignore: decorator
@external("sandblock:v3", "file_size")
export declare function fileSize(file: i32): i64;

/** Makes it shorter or longer. Returns 0 or an errno. */
// @ts-ignore: decorator
@external("sandblock:v3", "file_resize")
export declare function fileResize(file: i32, size: i64): i32;

/** Reads all of `count` bytes; ENODATA (61) where the file ends before. */
// @ts-ignore: decorator
@external("sandblock:v3", "file_pread")
export declare function filePread(
  file: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
  token: i32,
): i32;

/** Writes all of them. Flag: CallFlag.Fua. */
// @ts-ignore: decorator
@external("sandblock:v3", "file_pwrite")
export declare function filePwrite(
  file: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
  token: i32,
): i32;

/** What was written before is on stable storage when it has ended. */
// @ts-ignore: decorator
@external("sandblock:v3", "file_sync")
export declare function fileSync(file: i32, flags: i32, token: i32): i32;

/** Makes a range read as zeroes. Flag: CallFlag.MayTrim. */
// @ts-ignore: decorator
@external("sandblock:v3", "file_zero")
export declare function fileZero(
  file: i32,
  count: u64,
  offset: u64,
  flags: i32,
  token: i32,
): i32;

/** Begins to connect to `HOST:PORT`; `sb_done(token, result)` says how that ended. A number or -errno. */
// @ts-ignore: decorator
@external("sandblock:v3", "net_open")
export declare function netOpen(address: usize, length: usize, token: i32): i32;

/**
 * Reads what is there. `buffer`: room as u32, set by the plugin; bytes read as u32, set by the host, 0 at
 * the end; then the bytes.
 */
// @ts-ignore: decorator
@external("sandblock:v3", "net_read")
export declare function netRead(stream: i32, buffer: usize, token: i32): i32;

/** Sends all of `count` bytes. */
// @ts-ignore: decorator
@external("sandblock:v3", "net_write")
export declare function netWrite(stream: i32, data: usize, count: u64, token: i32): i32;

// @ts-ignore: decorator
@external("sandblock:v3", "net_close")
export declare function netClose(stream: i32): void;
