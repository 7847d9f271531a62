// SPDX-License-Identifier: MIT
// What is below a filter (wasm-plugins/abi/README.md, section 15). Requests to it return 0, an errno, or
// PENDING; then, and only then, `sb_done(token, errno)` is called when they have ended.

/** How many devices there are below; they are numbered from 0. */
// @ts-ignore: decorator
@external("sandblock:v3", "next_count")
export declare function nextCount(): i32;

/** Size of a child in bytes, from the return of `sb_open` on. */
// @ts-ignore: decorator
@external("sandblock:v3", "next_size")
export declare function nextSize(handle: i32, child: i32): i64;

/** Fills in an Info (`infoOf` is more comfortable). Returns 0 or an errno. */
// @ts-ignore: decorator
@external("sandblock:v3", "next_info")
export declare function nextInfo(handle: i32, child: i32, info: usize): i32;

/**
 * Makes a child answer `count` bytes of `request`, from `at` on, with what it has at `offset`.
 * Returns 0, an errno or PENDING. With the token 0 a request that is PENDING is finished by that;
 * otherwise `sb_done(token, errno)` is called, and then it is to be completed.
 */
// @ts-ignore: decorator
@external("sandblock:v3", "next_forward")
export declare function nextForward(
  request: i32,
  child: i32,
  at: u64,
  count: u64,
  offset: u64,
  flags: i32,
  token: i32,
): i32;

/**
 * Copies `length` bytes of what is written, from `at` on, to `pointer`: for filters that forward writes,
 * whose data they otherwise do not have. Returns 0 or an errno.
 */
// @ts-ignore: decorator
@external("sandblock:v3", "payload")
export declare function payload(request: i32, at: u64, pointer: usize, length: usize): i32;

/** Reads from a child into memory. */
// @ts-ignore: decorator
@external("sandblock:v3", "next_pread")
export declare function nextPread(
  handle: i32,
  child: i32,
  pointer: usize,
  count: u64,
  offset: u64,
  flags: i32,
  token: i32,
): i32;

/** Writes to a child from memory, which must stay as it is until that has ended. Flag Fua. */
// @ts-ignore: decorator
@external("sandblock:v3", "next_pwrite")
export declare function nextPwrite(
  handle: i32,
  child: i32,
  pointer: usize,
  count: u64,
  offset: u64,
  flags: i32,
  token: i32,
): i32;

/** Flushes a child. */
// @ts-ignore: decorator
@external("sandblock:v3", "next_flush")
export declare function nextFlush(handle: i32, child: i32, flags: i32, token: i32): i32;

/** Trims a child. Flag Fua. */
// @ts-ignore: decorator
@external("sandblock:v3", "next_trim")
export declare function nextTrim(
  handle: i32,
  child: i32,
  count: u64,
  offset: u64,
  flags: i32,
  token: i32,
): i32;

/** Zeroes a part of a child. Flags Fua, MayTrim, FastZero. */
// @ts-ignore: decorator
@external("sandblock:v3", "next_zero")
export declare function nextZero(
  handle: i32,
  child: i32,
  count: u64,
  offset: u64,
  flags: i32,
  token: i32,
): i32;

/** Tells a child what is going to be read. */
// @ts-ignore: decorator
@external("sandblock:v3", "next_cache")
export declare function nextCache(
  handle: i32,
  child: i32,
  count: u64,
  offset: u64,
  flags: i32,
  token: i32,
): i32;

/** Erases a part of a child for good. No flags. Since 3.2. */
// @ts-ignore: decorator
@external("sandblock:v3", "next_secure_erase")
export declare function nextSecureErase(
  handle: i32,
  child: i32,
  count: u64,
  offset: u64,
  flags: i32,
  token: i32,
): i32;

/**
 * Makes an ioctl to a child. The argument has `ioctlBytes(number)` bytes, and the answer takes its place.
 * Since 3.2.
 */
// @ts-ignore: decorator
@external("sandblock:v3", "next_ioctl")
export declare function nextIoctl(
  handle: i32,
  child: i32,
  number: i32,
  argument: usize,
  length: usize,
  token: i32,
): i32;

/** Bytes of the argument of an ioctl. */
// @ts-ignore: decorator
@inline
export function ioctlBytes(number: i32): i32 {
  return (number >>> 16) & 0x3fff;
}

/** Asks a child what is allocated; `list` is the address of an ExtentList. Flag ReqOne. */
// @ts-ignore: decorator
@external("sandblock:v3", "next_extents")
export declare function nextExtents(
  handle: i32,
  child: i32,
  list: usize,
  count: u64,
  offset: u64,
  flags: i32,
  token: i32,
): i32;

/**
 * Copies the exports of a child, as far as they fit: their number as u32, then for each the lengths of
 * its name and its description as u32, and both texts. Returns the length of all; 0 if that failed.
 */
// @ts-ignore: decorator
@external("sandblock:v3", "next_list")
export declare function nextList(child: i32, list: usize, capacity: usize): usize;

/** Copies the name of a child's default export. Returns its length, or an errno below 0. */
// @ts-ignore: decorator
@external("sandblock:v3", "next_default")
export declare function nextDefault(child: i32, name: usize, capacity: usize): i32;

/** Opens the export `name` below for the filter itself. Returns a handle, or an errno below 0. */
// @ts-ignore: decorator
@external("sandblock:v3", "next_open")
export declare function nextOpen(name: usize, nameLength: usize, flags: i32): i32;

/** Closes what `nextOpen` has opened. */
// @ts-ignore: decorator
@external("sandblock:v3", "next_close")
export declare function nextClose(handle: i32): void;

/** Opens what is below `handle` again, in place of what is open. Returns 0 or an errno. */
// @ts-ignore: decorator
@external("sandblock:v3", "next_reopen")
export declare function nextReopen(handle: i32, flags: i32): i32;

/** A flush or an ioctl for the only child. */
// @ts-ignore: decorator
@inline
export function passOn(request: i32): i32 {
  return nextForward(request, 0, 0, 0, 0, 0, 0);
}

/** The whole of a request for the only child: what most filters do in the end. */
// @ts-ignore: decorator
@inline
export function pass(request: i32, count: u64, offset: u64, flags: i32): i32 {
  return nextForward(request, 0, 0, count, offset, flags, 0);
}
