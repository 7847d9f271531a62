// SPDX-License-Identifier: MIT
// What came with plugin ABI 3.1 for all plugins (wasm-plugins/abi/README.md, sections 14 and 16): requests
// that are finished later, timers, features, metrics, and exports that change their size.

/** What a call for a request returns when the request is finished later. */
export const PENDING: i32 = -1;

/** Finishes a request whose call has returned PENDING. */
// @ts-ignore: decorator
@external("sandblock:v3", "complete")
export declare function complete(request: i32, errno: i32): void;

/** Forgets what a read or a request for extents was answered with so far. */
// @ts-ignore: decorator
@external("sandblock:v3", "reply_restart")
export declare function replyRestart(request: i32): void;

/** Calls `sb_done(token, 0)` in `nanoseconds`. Returns 0, or EAGAIN when there are too many. */
// @ts-ignore: decorator
@external("sandblock:v3", "timer")
export declare function timer(nanoseconds: u64, token: i32): i32;

/** Takes a timer back. Returns 1 if there was one. */
// @ts-ignore: decorator
@external("sandblock:v3", "cancel")
export declare function cancel(token: i32): i32;

/** In `sb_info`: block sizes that clients are told, while they are held to those of the struct. */
// @ts-ignore: decorator
@external("sandblock:v3", "block_advice")
export declare function blockAdvice(minimum: i32, preferred: i32, maximum: i32): void;

/** Whether the host has a feature: 1 or 0. `hasFeature` takes a string. */
// @ts-ignore: decorator
@external("sandblock:v3", "feature")
export declare function feature(name: usize, length: usize): i32;

/** The time; `monotonic` and `realTime` are more comfortable. Needs the capability "clock". */
// @ts-ignore: decorator
@external("sandblock:v3", "clock")
export declare function clock(which: i32): i64;

/** Sets a metric of the manifest, by its position there. */
// @ts-ignore: decorator
@external("sandblock:v3", "metric")
export declare function metric(index: i32, value: i64): void;

/** Gives an open export another size. Returns 0 or an errno. */
// @ts-ignore: decorator
@external("sandblock:v3", "resize")
export declare function resize(handle: i32, size: i64): i32;

/** Nanoseconds since some moment; -1 where the capability "clock" was not granted. */
export function monotonic(): i64 {
  return clock(1);
}

/** Nanoseconds since 1970 began, UTC; -1 where the capability "clock" was not granted. */
export function realTime(): i64 {
  return clock(0);
}

/** Whether the host has the feature `name`, of ASCII, such as "timers". */
export function hasFeature(name: string): bool {
  const bytes = memory.data(64);
  const length = min(name.length, 64);
  for (let i = 0; i < length; i++) store<u8>(bytes + i, <u8>name.charCodeAt(i));
  return feature(bytes, length) == 1;
}
