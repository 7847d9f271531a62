// SPDX-License-Identifier: MIT
// Memory straight from the kernel: mmap(2), munmap(2), madvise(2). What is mapped here is seen as an
// ArrayBuffer that V8 neither moves nor frees, so its address may be handed to the kernel.

import { lastErrno, SystemError } from "./errno.ts";
import { lateFunctions } from "./late.ts";

const symbols = lateFunctions({
  mmap: { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
  madvise: { parameters: ["pointer", "usize", "i32"], result: "i32" },
});

const PROT_READ = 0x1;
const PROT_READ_WRITE = 0x1 | 0x2;
const MAP_SHARED = 0x1;
const MAP_PRIVATE = 0x2;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;
const MAP_POPULATE = 0x8000;
const MAP_FAILED = 0xffffffffffffffffn;
const MADV_DONTNEED = 4;

/** Bytes of a page of memory on x86-64; arm64 kernels with larger pages are not supported. */
export const PAGE_BYTES = 4096;

/** A mapped region. */
export interface Mapping {
  /** Where it starts in this process: below 2^47, so exact as a number. */
  readonly address: number;
  /** The region. Not to be touched after `unmap`. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Reserves `bytes` (a multiple of PAGE_BYTES) of zeroed private memory. It takes real memory only
 * where it is touched, and does not count against the overcommit limit.
 */
export function reserve(bytes: number): Mapping {
  return map(bytes, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0, `reserve ${bytes} bytes`);
}

/** Maps `bytes` of descriptor `fd` from `offset` on, shared and writable, and faults them in. */
export function mapShared(fd: number, offset: number, bytes: number): Mapping {
  return map(
    bytes,
    MAP_SHARED | MAP_POPULATE,
    fd,
    offset,
    `map ${bytes} bytes of descriptor ${fd}`,
  );
}

/** Maps `bytes` of descriptor `fd` from `offset` on, which somebody else writes to. */
export function mapForReading(fd: number, offset: number, bytes: number): Mapping {
  const action = `map ${bytes} bytes of descriptor ${fd}`;
  return map(bytes, MAP_SHARED | MAP_POPULATE, fd, offset, action, PROT_READ);
}

/** Ends a mapping. */
export function unmap(mapping: Mapping): void {
  symbols.munmap(pointerTo(mapping.address), BigInt(mapping.bytes.length));
}

/**
 * Gives the pages of `length` bytes at `address` (both multiples of PAGE_BYTES) of a private mapping
 * back to the system; they read as zeroes afterwards.
 */
export function discardPages(address: number, length: number): void {
  // Fails only for memory that is locked or not mapped; then it simply stays in use.
  symbols.madvise(pointerTo(address), BigInt(length), MADV_DONTNEED);
}

function map(
  bytes: number,
  flags: number,
  fd: number,
  offset: number,
  action: string,
  protection = PROT_READ_WRITE,
): Mapping {
  const pointer = symbols.mmap(null, BigInt(bytes), protection, flags, fd, BigInt(offset));
  if (pointer === null || Deno.UnsafePointer.value(pointer) === MAP_FAILED) {
    throw new SystemError(action, lastErrno());
  }
  return {
    address: Number(Deno.UnsafePointer.value(pointer)),
    bytes: new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, bytes)),
  };
}

function pointerTo(address: number): Deno.PointerValue {
  return Deno.UnsafePointer.create(BigInt(address));
}
