// SPDX-License-Identifier: MIT
// A front end: the device as the kernel has it, made of an export that a server serves.

import { toBigInt } from "../block/uint64.ts";
import type { ExportInfo } from "../block/export.ts";
import type { LogLevel } from "../plugin/instance.ts";
import type { KernelDevice } from "./names.ts";
import type { DeviceRecord } from "./state.ts";

/** What is asked for. */
export interface AttachOptions {
  /** Number of the device; null: any that is free. */
  index: number | null;
  /** "" is the default export. */
  exportName: string;
  /** Sockets of nbd. */
  connections: number;
  /** Queues of ublk and bdus, each on a reactor of its own where there are so many. */
  queues: number;
  /** Requests under way in a queue. */
  depth: number;
  /** A request may take so long; 0: for ever. */
  timeoutSeconds: number;
  /** How long the device waits for a successor when this process dies; 0: not at all. */
  recoverySeconds: number;
  /** What the device was before its process died; null for a new device. */
  predecessor: DeviceRecord | null;
  /**
   * Called as soon as the kernel has given a new device its number, though it cannot be used yet: it may
   * outlive this process from then on.
   */
  made(device: KernelDevice, facts: FrontFacts): void;
  /** Called when nothing stands in the way of taking the device over. */
  beforeTakeOver(): Promise<void>;
  log: FrontLog;
}

/** Takes what happens to a device. */
export type FrontLog = (level: LogLevel, text: string) => void;

/** Size and block sizes of what a device is made of. */
export type Extent = Pick<ExportInfo, "sizeHigh" | "sizeLow" | "blockSize">;

/** See the top of this file. */
export interface FrontEnd {
  readonly device: KernelDevice;
  readonly facts: FrontFacts;
  /** Ends the device. What it still had to do fails. */
  detach(): Promise<void>;
  /** Why the device keeps its size; null where it does not. */
  readonly keepsSize: string | null;
  /** Gives a device that does not keep its size another one in bytes, a multiple of its block size. */
  resize(size: bigint): Promise<void>;
  /** Resolves when the device is over without `detach`; never where the end of the server says so. */
  readonly ended: Promise<void>;
  /** The remote server that has the device now, as a URI; absent where this process serves it. */
  server?(): string;
  /** Somebody else is about to end the device. */
  expectEnd(): void;
  /** Another process takes the device over: leaves it alone from now on. */
  leave(): void;
}

/** What ways do that learn of the end of a device by the end of what serves it. */
export const ENDS_WITH_SERVER = {
  ended: new Promise<void>(() => {}),
  expectEnd() {},
  leave() {},
} as const;

/** What the kernel was told. */
export interface FrontFacts {
  size: bigint;
  blockSize: number;
  readOnly: boolean;
  connections: number;
  queues: number;
  depth: number;
  timeoutSeconds: number;
  recoverySeconds: number;
  identifier: string;
}

/** Smallest and largest logical block that Linux takes everywhere. */
const BLOCK_BYTES_MIN = 512;
const BLOCK_BYTES_MAX = 4096;

/** Logical block size of an export in the kernel. Throws Error. */
export function logicalBlockSize(info: Extent): number {
  const { minimum } = info.blockSize;
  if (minimum <= BLOCK_BYTES_MAX) return Math.max(BLOCK_BYTES_MIN, minimum);
  throw new Error(
    `cannot attach the export: its blocks have ${minimum} bytes, and Linux takes at most ` +
      `${BLOCK_BYTES_MAX}; put --filter blocksize above it`,
  );
}

/** Largest request with data, unless the device wants smaller ones. */
const REQUEST_BYTES_MAX = 256 * 1024;
const PAGE_BYTES = 4096;

/** Largest request with data that suits an export, a power of two of whole pages. Throws Error. */
export function largestRequest({ blockSize }: ExportInfo): number {
  let bytes = REQUEST_BYTES_MAX;
  while (bytes > blockSize.maximum && bytes > PAGE_BYTES) bytes /= 2;
  if (bytes <= blockSize.maximum) return bytes;
  throw new Error(
    `cannot attach the export: it takes at most ${blockSize.maximum} bytes at a time; ` +
      "put --filter blocksize above it",
  );
}

/** Size of an export in whole blocks. Throws Error where that is nothing. */
export function sizeInBlocks(info: Extent, blockSize: number): bigint {
  const size = toBigInt(info.sizeHigh, info.sizeLow);
  const whole = size - size % BigInt(blockSize);
  if (whole > 0n) return whole;
  throw new Error(
    `cannot attach an export of ${size} bytes: a device has at least one block of ${blockSize}`,
  );
}

/** Whether an export can stand in for what a device was made of. Throws Error where it cannot. */
export function checkSuccession(facts: FrontFacts, predecessor: DeviceRecord): void {
  const { device, size, blockSize, readOnly } = predecessor;
  const refuse = (why: string) => {
    throw new Error(`cannot recover ${device}: ${why}`);
  };
  if (facts.size < BigInt(size)) {
    refuse(`it has ${size} bytes, and what shall serve it now only ${facts.size}`);
  }
  if (facts.blockSize > blockSize) {
    refuse(
      `its blocks have ${blockSize} bytes, and what shall serve it now needs ${facts.blockSize}`,
    );
  }
  if (facts.readOnly && !readOnly) {
    refuse("it is writable, and what shall serve it now is read-only");
  }
}

/** Throws Error for an export with zones, which only ublk can carry. */
export function refuseZones({ zones }: ExportInfo, via: "nbd" | "bdus"): void {
  if (zones === undefined) return;
  throw new Error(
    `cannot attach a zoned device through ${via}, which knows no zones; ` +
      "--via ublk can, from Linux 6.6 on",
  );
}
