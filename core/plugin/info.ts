// SPDX-License-Identifier: MIT
// What a plugin says about an export in sb_info, on top of what its functions say (ABI, "Info").

import {
  BLOCK_SIZE_DEFAULT,
  type BlockSize,
  type Capabilities,
  type ExportInfo,
  Support,
} from "../block/export.ts";

/** Fields of the struct in order; each is a u32. */
const FIELDS = [
  "structSize",
  "blockMinimum",
  "blockPreferred",
  "blockMaximum",
  "write",
  "flush",
  "fua",
  "trim",
  "zero",
  "fastZero",
  "cache",
  "extents",
  "multiConn",
  "rotational",
  "secureErase",
  "ioctl",
] as const;

/** Bytes of the struct. */
export const INFO_BYTES = FIELDS.length * 4;

/** Bytes of what 3.0 and 3.1 have of it. */
export const INFO_BYTES_MIN = 56;

/** Bytes of the struct that a plugin for that minor of the ABI knows. */
export function infoBytes(minor: number): number {
  return minor < 2 ? INFO_BYTES_MIN : INFO_BYTES;
}

/** The struct as an object. */
export type Info = Record<typeof FIELDS[number], number>;

/** Largest minimum and preferred block size. */
const BLOCK_MINIMUM_MAX = 65536;
const BLOCK_PREFERRED_MIN = 512;
const BLOCK_PREFERRED_MAX = 32 * 1024 * 1024;
/** A largest block that says there is none. */
export const BLOCK_MAXIMUM_NONE = 0xffffffff;

/** Capabilities with the function that native support needs, and whether the host can emulate. */
const CAPABILITIES: readonly [keyof Capabilities & keyof Info, string, boolean][] = [
  ["write", "sb_pwrite", false],
  ["flush", "sb_flush", false],
  ["fua", "sb_pwrite", true],
  ["trim", "sb_trim", false],
  ["zero", "sb_zero", true],
  ["fastZero", "sb_zero", true],
  ["cache", "sb_cache", true],
  ["extents", "sb_extents", false],
  ["multiConn", "", false],
  ["secureErase", "sb_secure_erase", false],
  ["ioctl", "sb_ioctl", false],
];

/** What is assumed of a plugin with these `exports`, of which `instances` run. */
export function defaultInfo(exports: ReadonlySet<string>, instances: number): Info {
  const native = (name: string) => exports.has(name) ? Support.Native : Support.None;
  const writes = exports.has("sb_pwrite");
  const zero = exports.has("sb_zero") ? Support.Native : writes ? Support.Emulate : Support.None;
  return {
    structSize: INFO_BYTES,
    blockMinimum: BLOCK_SIZE_DEFAULT.minimum,
    blockPreferred: BLOCK_SIZE_DEFAULT.preferred,
    blockMaximum: BLOCK_SIZE_DEFAULT.maximum,
    write: native("sb_pwrite"),
    flush: native("sb_flush"),
    fua: writes && exports.has("sb_flush") ? Support.Emulate : Support.None,
    trim: native("sb_trim"),
    zero,
    // Emulated zeroes are always slow, and saying so is what a fast zero request asks for.
    fastZero: zero === Support.Emulate ? Support.Emulate : Support.None,
    cache: native("sb_cache"),
    extents: native("sb_extents"),
    // The flush of an instance covers all that was written through it.
    multiConn: instances === 1 ? Support.Native : Support.None,
    rotational: 0,
    secureErase: native("sb_secure_erase"),
    ioctl: native("sb_ioctl"),
  };
}

/** Writes `info` to the memory of a plugin at `pointer`, as far as it goes into `bytes`. */
export function writeInfo(view: DataView, pointer: number, info: Info, bytes = INFO_BYTES): void {
  const known = FIELDS.slice(0, bytes >>> 2);
  const written = { ...info, structSize: known.length * 4 };
  known.forEach((field, index) => view.setUint32(pointer + index * 4, written[field], true));
}

/** An export as the struct describes it. */
export function infoOf({ blockSize, can, rotational }: ExportInfo): Info {
  return {
    structSize: INFO_BYTES,
    blockMinimum: blockSize.minimum,
    blockPreferred: blockSize.preferred,
    blockMaximum: blockSize.maximum,
    ...can,
    rotational: rotational ? 1 : 0,
  };
}

/** Reads what the plugin has made of `bytes` of it. What is beyond them is as `assumed`. */
export function readInfo(
  view: DataView,
  pointer: number,
  assumed: Info,
  bytes = INFO_BYTES,
): Info {
  const known = FIELDS.slice(0, bytes >>> 2);
  const values = known.map((field, index) => [field, view.getUint32(pointer + index * 4, true)]);
  return { ...assumed, ...Object.fromEntries(values) } as Info;
}

/**
 * What is wrong with `info` for a plugin with these `exports`; "" if nothing is. `assumed`: what a filter
 * was told that it can do, part of which is done by what is below it. `bytes`: of the struct that it knows.
 */
export function infoFault(
  info: Info,
  exports: ReadonlySet<string>,
  assumed: Info | null = null,
  bytes = INFO_BYTES,
): string {
  if (info.structSize > bytes) {
    return `struct_size is ${info.structSize}; the host knows ${bytes} bytes`;
  }
  if (info.rotational > 1) return `rotational is ${info.rotational}; it must be 0 or 1`;
  for (const [name, needed, emulated] of CAPABILITIES) {
    const value = info[name];
    if (value > Support.Native) return `${name} is ${value}; it must be 0, 1 or 2`;
    if (assumed !== null && value === assumed[name]) continue;
    if (value === Support.Emulate && !emulated) return `the host cannot emulate ${name}`;
    if (value === Support.Native && needed !== "" && !exports.has(needed)) {
      return `${name} is native, but there is no function "${needed}"`;
    }
  }
  // What a filter has no function for, what is below it does.
  const has = (call: "pwrite" | "flush", below: number | undefined) =>
    exports.has(`sb_${call}`) || (below ?? Support.None) !== Support.None;
  if (info.fua === Support.Emulate && !has("flush", assumed?.flush)) {
    return `fua is emulated, but there is no function "sb_flush"`;
  }
  if (info.zero === Support.Emulate && !has("pwrite", assumed?.write)) {
    return `zero is emulated, but there is no function "sb_pwrite"`;
  }
  if (info.fastZero === Support.Native && info.zero !== Support.Native) {
    return "fastZero is native, but zero is not";
  }
  return blockSizeFault(info);
}

/** What is wrong with block sizes; "" if nothing is. */
export function blockSizeFault(
  { blockMinimum, blockPreferred, blockMaximum }: Pick<
    Info,
    "blockMinimum" | "blockPreferred" | "blockMaximum"
  >,
): string {
  if (!isPowerOfTwo(blockMinimum) || blockMinimum > BLOCK_MINIMUM_MAX) {
    return `block_minimum is ${blockMinimum}; it must be a power of two, 1 to ${BLOCK_MINIMUM_MAX}`;
  }
  const least = Math.max(BLOCK_PREFERRED_MIN, blockMinimum);
  if (
    !isPowerOfTwo(blockPreferred) || blockPreferred < least || blockPreferred > BLOCK_PREFERRED_MAX
  ) {
    return `block_preferred is ${blockPreferred}; ` +
      `it must be a power of two, ${least} to ${BLOCK_PREFERRED_MAX}`;
  }
  if (blockMaximum === BLOCK_MAXIMUM_NONE) return "";
  if (blockMaximum < blockPreferred || blockMaximum % blockMinimum !== 0) {
    return `block_maximum is ${blockMaximum}; it must be a multiple of block_minimum ` +
      `and at least block_preferred, or 0xffffffff for none`;
  }
  return "";
}

/** Whether a whole number below 2^41 is one. */
export function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value));
}

/** The block sizes in `info`. */
export function blockSizeOf(info: Info): BlockSize {
  return {
    minimum: info.blockMinimum,
    preferred: info.blockPreferred,
    maximum: info.blockMaximum,
  };
}

/** The capabilities in `info` for an export that is opened read-only or not. */
export function capabilitiesOf(info: Info, readOnly: boolean): Capabilities {
  const support = (value: number) => value as Support;
  const writes = !readOnly && info.write !== Support.None;
  const ifWrites = (value: number) => writes ? support(value) : Support.None;
  const zero = ifWrites(info.zero);
  return {
    write: ifWrites(info.write),
    flush: support(info.flush),
    fua: ifWrites(info.fua),
    trim: ifWrites(info.trim),
    zero,
    fastZero: zero === Support.None ? Support.None : support(info.fastZero),
    cache: support(info.cache),
    extents: support(info.extents),
    // Where nothing is written, there is nothing that a flush could miss.
    multiConn: writes ? support(info.multiConn) : Support.Native,
    secureErase: ifWrites(info.secureErase),
    ioctl: support(info.ioctl),
  };
}
