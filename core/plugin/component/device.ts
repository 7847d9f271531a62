// SPDX-License-Identifier: MIT
// What a component exports (interface `device` of wasm-plugins/abi/wit), as jco makes it callable. A
// function whose result is a failure throws an object with `payload`.

import { BlockError, Errno } from "../../block/errno.ts";
import type { Context, Request } from "./resources.ts";
import type { CallFlags, InfoRecord, Outcome, Parameter } from "./values.ts";
import type { ZonesStruct } from "../zones.ts";

/** Resource `disk`. What came with 3.2 is not there in one for 3.1, which does not say that it implements it. */
export interface Disk {
  size(): bigint;
  description(): string;
  info(assumed: InfoRecord): InfoRecord;
  pread(count: bigint, offset: bigint, request: Request): void;
  pwrite(data: Uint8Array, offset: bigint, flags: CallFlags, request: Request): void;
  flush(request: Request): void;
  trim(count: bigint, offset: bigint, flags: CallFlags, request: Request): void;
  zero(count: bigint, offset: bigint, flags: CallFlags, request: Request): void;
  cache(count: bigint, offset: bigint, request: Request): void;
  extents(count: bigint, offset: bigint, flags: CallFlags, request: Request): void;
  secureErase(count: bigint, offset: bigint, request: Request): void;
  ioctl(number: number, argument: Uint8Array, request: Request): void;
  /** Record `zones`. */
  zones(): ZonesStruct | undefined;
  zoneReport(count: bigint, offset: bigint, request: Request): void;
  zoneAppend(data: Uint8Array, offset: bigint, flags: CallFlags, request: Request): void;
  zoneOpen(count: bigint, offset: bigint, request: Request): void;
  zoneClose(count: bigint, offset: bigint, request: Request): void;
  zoneFinish(count: bigint, offset: bigint, request: Request): void;
  zoneReset(count: bigint, offset: bigint, request: Request): void;
  [Symbol.dispose](): void;
}

/** Flags `calls`; those of 3.1 lack the last ones. */
export type Calls = Record<
  | "exports"
  | "defaultExport"
  | "connect"
  | "pread"
  | "pwrite"
  | "flush"
  | "trim"
  | "zero"
  | "cache"
  | "extents"
  | "size"
  | "description"
  | "info"
  | "finish"
  | "secureErase"
  | "ioctl"
  | "zones"
  | "zoneReport"
  | "zoneAppend"
  | "zoneOpen"
  | "zoneClose"
  | "zoneFinish"
  | "zoneReset",
  boolean
>;

/** Interface `device`. */
export interface Device {
  implemented(): Calls;
  start(parameters: Parameter[]): void;
  listExports(): { name: string; description: string }[];
  defaultExport(): string | undefined;
  connect(peer: string): void;
  open(name: string, readOnly: boolean, context: Context): Disk;
  done(token: number, outcome: Outcome): void;
  finish(): void;
  stop(): void;
}

const FUNCTIONS: readonly (keyof Device)[] = [
  "implemented",
  "start",
  "listExports",
  "defaultExport",
  "connect",
  "open",
  "done",
  "finish",
  "stop",
];

/** The interface among the `exports` of `plugin`. Throws BlockError where it is another one. */
export function deviceOf(plugin: string, exports: Record<string, unknown>): Device {
  const name = Object.keys(exports).find((name) => name.startsWith("sandblock:plugin/device@"));
  const device = exports[name ?? ""] as Record<string, unknown> | undefined;
  for (const one of FUNCTIONS) {
    if (typeof device?.[one] === "function") continue;
    throw new BlockError(
      Errno.EINVAL,
      `cannot start plugin "${plugin}": its interface "device" has no function "${one}"`,
    );
  }
  return device as unknown as Device;
}
