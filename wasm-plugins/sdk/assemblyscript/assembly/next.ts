// SPDX-License-Identifier: MIT
// What came with plugin ABI 3.1: requests that are finished later, timers, metrics, and for filters
// what is below them (wasm-plugins/abi/README.md, "What is below").

/** What a call for a request returns when the request is finished later. */
export const PENDING: i32 = -1;

/** Finishes a request whose call has returned PENDING. */
// @ts-ignore: decorator
@external("sandblock:v3", "complete")
export declare function complete(request: i32, errno: i32): void;

/** Calls `sb_done(token, 0)` in `nanoseconds`. Returns 0, or EAGAIN when there are too many. */
// @ts-ignore: decorator
@external("sandblock:v3", "timer")
export declare function timer(nanoseconds: u64, token: i32): i32;

/** Takes a timer back. Returns 1 if there was one. */
// @ts-ignore: decorator
@external("sandblock:v3", "cancel")
export declare function cancel(token: i32): i32;

/** Sets a metric of the manifest, by its position there. */
// @ts-ignore: decorator
@external("sandblock:v3", "metric")
export declare function metric(index: i32, value: i64): void;

/** How many devices there are below. */
// @ts-ignore: decorator
@external("sandblock:v3", "next_count")
export declare function nextCount(): i32;

/** Size of a child in bytes. */
// @ts-ignore: decorator
@external("sandblock:v3", "next_size")
export declare function nextSize(handle: i32, child: i32): i64;

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

/** Reads from a child into memory. Returns 0, an errno, or PENDING: `sb_done(token, errno)`. */
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
