// SPDX-License-Identifier: MIT
// Values of the WIT package (wasm-plugins/abi/wit) as jco gives and takes them, and how they become
// numbers of the core form.

import { CallFlag, FileFlag } from "../abi.ts";
import type { Info } from "../info.ts";
import { ExtentFlag } from "../../block/request.ts";

/** Record `failure`. */
export interface Failure {
  errno: number;
  text: string;
}

/** Flags `call-flags`. */
export interface CallFlags {
  fua?: boolean;
  mayTrim?: boolean;
  fastZero?: boolean;
  reqOne?: boolean;
  whole?: boolean;
}

/** Flags `file-flags`. */
export interface FileFlags {
  write?: boolean;
  create?: boolean;
  exclusive?: boolean;
  truncate?: boolean;
  lock?: boolean;
}

/** The flags as those of file_open. */
export function fileFlagsNumber({ write, create, exclusive, truncate, lock }: FileFlags): number {
  return (write ? FileFlag.Write : 0) | (create ? FileFlag.Create : 0) |
    (exclusive ? FileFlag.Exclusive : 0) | (truncate ? FileFlag.Truncate : 0) |
    (lock ? FileFlag.Lock : 0);
}

/** Enum `progress`. */
export type Progress = "done" | "pending";

/** Record `extent`. */
export interface Extent {
  length: bigint;
  hole: boolean;
  zero: boolean;
}

/** Variant `outcome`. */
export type Outcome =
  | { tag: "done" }
  | { tag: "data"; val: Uint8Array }
  | { tag: "extents"; val: Extent[] }
  | { tag: "failed"; val: Failure };

/** Record `parameter`. */
export interface Parameter {
  index: number;
  value: { tag: "number"; val: bigint } | { tag: "bytes"; val: Uint8Array };
}

/** What is thrown for a function whose result is a failure; jco looks for `payload`. */
export class FailureError extends Error {
  constructor(readonly payload: Failure) {
    super(payload.text);
  }
}

const NO_FLAGS: CallFlags = {};

/** `flags` of a call as a record. */
export function callFlags(flags: number): CallFlags {
  if (flags === 0) return NO_FLAGS;
  return {
    fua: (flags & CallFlag.Fua) !== 0,
    mayTrim: (flags & CallFlag.MayTrim) !== 0,
    fastZero: (flags & CallFlag.FastZero) !== 0,
    reqOne: (flags & CallFlag.ReqOne) !== 0,
  };
}

/** The record as flags. */
export function flagsNumber({ fua, mayTrim, fastZero, reqOne, whole }: CallFlags): number {
  return (fua ? CallFlag.Fua : 0) | (mayTrim ? CallFlag.MayTrim : 0) |
    (fastZero ? CallFlag.FastZero : 0) | (reqOne ? CallFlag.ReqOne : 0) |
    (whole ? CallFlag.Whole : 0);
}

/** Flags of an extent. */
export function extentFlags(hole: boolean, zero: boolean): number {
  return (hole ? ExtentFlag.Hole : 0) | (zero ? ExtentFlag.Zero : 0);
}

/** The upper half of a 64-bit integer. */
export function upper(value: bigint): number {
  return Number(value >> 32n) | 0;
}

/** The lower half. */
export function lower(value: bigint): number {
  return Number(value & 0xffffffffn) | 0;
}

/** A 64-bit integer out of its halves. */
export function whole(high: number, low: number): bigint {
  return high === 0 ? BigInt(low >>> 0) : (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

const SUPPORT = ["none", "emulate", "native"] as const;
const SUPPORTED = [
  "write",
  "flush",
  "fua",
  "trim",
  "zero",
  "fastZero",
  "cache",
  "extents",
  "multiConn",
] as const;
/** What the record of 3.1 does not have. */
const SUPPORTED_SINCE_3_2 = ["secureErase", "ioctl"] as const;

/** Record `info`. */
export type InfoRecord =
  & Record<typeof SUPPORTED[number], typeof SUPPORT[number]>
  & Partial<Record<typeof SUPPORTED_SINCE_3_2[number], typeof SUPPORT[number]>>
  & { blockMinimum: number; blockPreferred: number; blockMaximum: number; rotational: boolean };

/** The struct of section 8 as a record. */
export function infoRecord(info: Info): InfoRecord {
  const { blockMinimum, blockPreferred, blockMaximum } = info;
  const names = [...SUPPORTED, ...SUPPORTED_SINCE_3_2];
  const supported = names.map((name) => [name, SUPPORT[info[name]]!]);
  return {
    ...Object.fromEntries(supported),
    blockMinimum,
    blockPreferred,
    blockMaximum,
    rotational: info.rotational === 1,
  };
}

/** The record as the struct, of which the rest, and what a component for 3.1 does not know, is as `assumed`. */
export function infoStruct(record: InfoRecord, assumed: Info): Info {
  const { blockMinimum, blockPreferred, blockMaximum } = record;
  const known = SUPPORTED_SINCE_3_2.filter((name) => record[name] !== undefined);
  const names = [...SUPPORTED, ...known];
  const supported = names.map((name) => [name, SUPPORT.indexOf(record[name]!)]);
  return {
    ...assumed,
    blockMinimum,
    blockPreferred,
    blockMaximum,
    ...Object.fromEntries(supported),
    rotational: record.rotational ? 1 : 0,
  } as Info;
}
