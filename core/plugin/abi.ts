// SPDX-License-Identifier: MIT
// The functions of plugin ABI v3.2, both ways, as one table: their signatures and how their values
// cross between wasm and the host (wasm-plugins/abi/README.md). Loader and instance read it.

import { Crossing, type Crossings } from "./wasm/boundary.ts";
import { ValueType } from "./wasm/format.ts";

/** The version of the ABI that this host speaks. */
export const ABI_MAJOR = 3;
export const ABI_MINOR = 2;
/** Module name of everything that a plugin imports. */
export const IMPORT_MODULE = "sandblock:v3";
/** What the names of all functions that a plugin exports for the host begin with. */
export const EXPORT_PREFIX = "sb_";

/** Kinds of values that the functions take and give. */
export const Value = {
  /** A 32-bit integer. */
  I32: 0,
  /** A 64-bit integer of the data path: an offset or length. */
  Count: 1,
  /** A 64-bit integer of the control path; crosses as a bigint. */
  BigInt: 2,
  /** An address or a length in the plugin's memory: i32, or i64 where the memory is 64-bit. */
  Pointer: 3,
} as const;
export type Value = typeof Value[keyof typeof Value];

/** Signature of a function. */
export interface AbiFunction {
  parameters: readonly Value[];
  results: readonly Value[];
}

const { I32, Count, BigInt: Big, Pointer } = Value;

function abi(parameters: Value[], ...results: Value[]): AbiFunction {
  return { parameters, results };
}

const NEXT_RANGE = abi([I32, I32, Count, Count, I32, I32], I32);
const NEXT_TRANSFER = abi([I32, I32, Pointer, Count, Count, I32, I32], I32);
const FILE_TRANSFER = abi([I32, Pointer, Count, Count, I32, I32], I32);
const RANGE_CALL = abi([I32, I32, Count, Count, I32], I32);
const WRITE_CALL = abi([I32, I32, Pointer, Count, Count, I32], I32);

/** Functions that a plugin may import. */
export const IMPORTS: ReadonlyMap<string, AbiFunction> = new Map(Object.entries({
  reply_data: abi([I32, Count, Pointer, Count, I32]),
  reply_buffer: abi([I32, Count, Count], Pointer),
  reply_zero: abi([I32, Count, Count, I32]),
  reply_error: abi([I32, Count, Count, I32]),
  extent: abi([I32, Count, I32]),
  error_text: abi([Pointer, Pointer]),
  export_add: abi([Pointer, Pointer, Pointer, Pointer]),
  export_default: abi([Pointer, Pointer]),
  peer: abi([Pointer, Pointer], Pointer),
  log: abi([I32, Pointer, Pointer]),
  release: abi([Pointer, Pointer]),
  complete: abi([I32, I32]),
  reply_restart: abi([I32]),
  timer: abi([Count, I32], I32),
  cancel: abi([I32], I32),
  sleep: abi([Count], I32),
  metric: abi([I32, Count]),
  resize: abi([I32, Count], I32),
  feature: abi([Pointer, Pointer], I32),
  block_advice: abi([I32, I32, I32]),
  next_count: abi([], I32),
  next_size: abi([I32, I32], Big),
  next_info: abi([I32, I32, Pointer], I32),
  next_open: abi([Pointer, Pointer, I32], I32),
  next_close: abi([I32]),
  next_reopen: abi([I32, I32], I32),
  next_forward: abi([I32, I32, Count, Count, Count, I32, I32], I32),
  next_pread: NEXT_TRANSFER,
  next_pwrite: NEXT_TRANSFER,
  next_flush: abi([I32, I32, I32, I32], I32),
  next_trim: NEXT_RANGE,
  next_zero: NEXT_RANGE,
  next_cache: NEXT_RANGE,
  next_extents: NEXT_TRANSFER,
  next_list: abi([I32, Pointer, Pointer], Pointer),
  next_default: abi([I32, Pointer, Pointer], I32),
  payload: abi([I32, Count, Pointer, Pointer], I32),
  clock: abi([I32], Big),
  random: abi([Pointer, Pointer], I32),
  file_open: abi([Pointer, Pointer, I32], I32),
  file_close: abi([I32]),
  file_size: abi([I32], Big),
  file_resize: abi([I32, Count], I32),
  file_pread: FILE_TRANSFER,
  file_pwrite: FILE_TRANSFER,
  file_sync: abi([I32, I32, I32], I32),
  file_zero: abi([I32, Count, Count, I32, I32], I32),
  net_open: abi([Pointer, Pointer, I32], I32),
  net_read: abi([I32, Pointer, I32], I32),
  net_write: abi([I32, Pointer, Count, I32], I32),
  net_close: abi([I32]),
  zone: abi([I32, Count, Count, Count, Count, I32, I32]),
  zone_appended: abi([I32, Count]),
  next_secure_erase: NEXT_RANGE,
  next_ioctl: abi([I32, I32, I32, Pointer, Pointer, I32], I32),
}));

/** Functions that a plugin may export. */
export const EXPORTS: ReadonlyMap<string, AbiFunction> = new Map(Object.entries({
  sb_alloc: abi([Pointer, Pointer], Pointer),
  sb_free: abi([Pointer, Pointer, Pointer]),
  sb_param_int: abi([I32, Big]),
  sb_param_bytes: abi([I32, Pointer, Pointer]),
  sb_ready: abi([], I32),
  sb_list: abi([], I32),
  sb_default: abi([], I32),
  sb_open: abi([Pointer, Pointer, I32], I32),
  sb_close: abi([I32]),
  sb_size: abi([I32], Big),
  sb_describe: abi([I32], I32),
  sb_info: abi([I32, Pointer], I32),
  sb_pread: RANGE_CALL,
  sb_pwrite: WRITE_CALL,
  sb_flush: abi([I32, I32, I32], I32),
  sb_trim: RANGE_CALL,
  sb_zero: RANGE_CALL,
  sb_cache: RANGE_CALL,
  sb_extents: RANGE_CALL,
  sb_stop: abi([]),
  sb_finish: abi([]),
  sb_connect: abi([Pointer, Pointer], I32),
  sb_done: abi([I32, I32]),
  sb_place: abi([I32, Count, Count], Pointer),
  sb_zones: abi([I32, Pointer], I32),
  sb_zone_report: RANGE_CALL,
  sb_zone_append: WRITE_CALL,
  sb_zone_open: RANGE_CALL,
  sb_zone_close: RANGE_CALL,
  sb_zone_finish: RANGE_CALL,
  sb_zone_reset: RANGE_CALL,
  sb_secure_erase: RANGE_CALL,
  sb_ioctl: abi([I32, I32, I32, Pointer, Pointer], I32),
}));

/** Functions that came with 3.1, both ways. */
const SINCE_3_1: readonly string[] = [
  ...[...IMPORTS.keys()].slice([...IMPORTS.keys()].indexOf("complete")),
  "sb_connect",
  "sb_done",
  "sb_finish",
  "sb_place",
];

/** ... and with 3.2. */
const SINCE_3_2: readonly string[] = [
  "zone",
  "zone_appended",
  ...[...EXPORTS.keys()].filter((name) => name.startsWith("sb_zone")),
  "next_secure_erase",
  "next_ioctl",
  "sb_secure_erase",
  "sb_ioctl",
];

/** With which minor those functions came that 3.0 does not have. */
export const SINCE: ReadonlyMap<string, number> = new Map([
  ...SINCE_3_1.map((name): [string, number] => [name, 1]),
  ...SINCE_3_2.map((name): [string, number] => [name, 2]),
]);

/** What a plugin may need or use by name (ABI, "Features"). */
export const FEATURES: ReadonlySet<string> = new Set([
  "blocking",
  "capabilities",
  "connect",
  "finish",
  "ioctl",
  "metrics",
  "next",
  "pending",
  "resize",
  "secure_erase",
  "timers",
  "zones",
]);

/** What compilers call the function that runs constructors; called before all others. */
export const INITIALIZE = "_initialize";

/** Exports without which nothing works; a filter may leave them to what is below it. */
export const MANDATORY_EXPORTS = ["sb_open", "sb_size", "sb_pread"] as const;

/** Flags of data calls. */
export const CallFlag = { Fua: 1, MayTrim: 2, FastZero: 4, ReqOne: 8, Whole: 16 } as const;
/** Flag of sb_open. */
export const OpenFlag = { ReadOnly: 1 } as const;
/** Flags of file_open. Those after the first need it. */
export const FileFlag = { Write: 1, Create: 2, Exclusive: 4, Truncate: 8, Lock: 16 } as const;
/** Flag of reply_data: the bytes stay until the next call that changes the device. */
export const DataFlag = { Stable: 1 } as const;
/** Flag of reply_zero: the zeroes take no space. */
export const ZeroFlag = { Hole: 1 } as const;

/** The wasm type of each of `values`. */
export function wasmTypes(values: readonly Value[], is64: boolean): number[] {
  return values.map((value) => {
    if (value === Value.I32) return ValueType.I32;
    if (value === Value.Pointer) return is64 ? ValueType.I64 : ValueType.I32;
    return ValueType.I64;
  });
}

/** How an import crosses. Numbers would be allocated as objects on their way to the host. */
export function importCrossings({ parameters, results }: AbiFunction): Crossings {
  return {
    parameters: parameters.map((value) => {
      return value === Value.Count || value === Value.Pointer ? Crossing.Halves : Crossing.Same;
    }),
    results: results.map(resultCrossing),
  };
}

/** How an export crosses. */
export function exportCrossings({ parameters, results }: AbiFunction): Crossings {
  return {
    parameters: parameters.map((value) => {
      if (value === Value.Count) return Crossing.Halves;
      return value === Value.Pointer ? Crossing.Number : Crossing.Same;
    }),
    results: results.map(resultCrossing),
  };
}

function resultCrossing(value: Value): number {
  return value === Value.Pointer ? Crossing.Number : Crossing.Same;
}
