// SPDX-License-Identifier: MIT
// The functions of a prepared plugin as the host calls them: 64-bit counts in halves, pointers as
// numbers (wasm/boundary.ts). Every function may throw (a trap, the deadline, a full stack).

/** A call for a range: handle, request id, count in halves, offset in halves, flags. */
export type RangeCall = (
  handle: number,
  id: number,
  countHigh: number,
  countLow: number,
  offsetHigh: number,
  offsetLow: number,
  flags: number,
) => number;

/** sb_pwrite and sb_zone_append: handle, request id, pointer, count in halves, offset in halves, flags. */
export type WriteCall = (
  handle: number,
  id: number,
  pointer: number,
  countHigh: number,
  countLow: number,
  offsetHigh: number,
  offsetLow: number,
  flags: number,
) => number;

/** sb_ioctl: handle, request id, number of the ioctl, pointer to its argument and length of that. */
export type IoctlCall = (
  handle: number,
  id: number,
  number: number,
  pointer: number,
  length: number,
) => number;

/** sb_place: handle, count in halves, offset in halves. */
export type PlaceCall = (
  handle: number,
  countHigh: number,
  countLow: number,
  offsetHigh: number,
  offsetLow: number,
) => number;

/** The exports of a plugin. Which are mandatory is in check.ts. */
export interface PluginCalls {
  sb_alloc?: (size: number, alignment: number) => number;
  sb_free?: (pointer: number, size: number, alignment: number) => void;
  sb_param_int?: (index: number, value: bigint) => void;
  sb_param_bytes?: (index: number, pointer: number, length: number) => void;
  sb_ready?: () => number;
  sb_list?: () => number;
  sb_default?: () => number;
  sb_open?: (name: number, length: number, flags: number) => number;
  sb_close?: (handle: number) => void;
  sb_size?: (handle: number) => bigint;
  sb_describe?: (handle: number) => number;
  sb_info?: (handle: number, out: number) => number;
  sb_pread?: RangeCall;
  sb_pwrite?: WriteCall;
  sb_flush?: (handle: number, id: number, flags: number) => number;
  sb_trim?: RangeCall;
  sb_zero?: RangeCall;
  sb_cache?: RangeCall;
  sb_extents?: RangeCall;
  sb_stop?: () => void;
  sb_finish?: () => void;
  sb_connect?: (peer: number, length: number) => number;
  sb_done?: (token: number, result: number) => void;
  sb_place?: PlaceCall;
  sb_zones?: (handle: number, out: number) => number;
  sb_zone_report?: RangeCall;
  sb_zone_append?: WriteCall;
  sb_zone_open?: RangeCall;
  sb_zone_close?: RangeCall;
  sb_zone_finish?: RangeCall;
  sb_zone_reset?: RangeCall;
  sb_secure_erase?: RangeCall;
  sb_ioctl?: IoctlCall;
  _initialize?: () => void;
}
