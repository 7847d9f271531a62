// SPDX-License-Identifier: MIT
// A running plugin as a Device: instantiates the prepared module and turns requests into calls.

import type { Device, OpenExport, OpenOptions } from "../block/device.ts";
import type { ExportEntry } from "../block/export.ts";
import type { PayloadMemory } from "../block/memory.ts";
import type { ParameterValue } from "./parameters.ts";
import type { PreparedPlugin } from "./prepare.ts";
import type { Watch } from "./watch.ts";

/** Levels of log lines, as numbers in the ABI. */
export const LOG_LEVELS = ["error", "warning", "info", "debug"] as const;
export type LogLevel = typeof LOG_LEVELS[number];

/** Gives memory back to the system; its contents become zero. */
export interface MemoryRelease {
  /** Size of a page of the system in bytes. */
  readonly pageBytes: number;
  /** `address` and `length` are whole pages. */
  release(address: number, length: number): void;
}

/** Surroundings of a plugin instance. */
export interface PluginOptions {
  /** Made by the Watchdog of another thread. */
  watch: Watch;
  /** Takes lines that the plugin logs or that are about it. */
  log(level: LogLevel, text: string): void;
  /** How many instances of the plugin serve the same exports. */
  instances: number;
  /** Absent: released memory is only zeroed. */
  memoryRelease?: MemoryRelease;
}

/** See the top of this file. */
export class PluginDevice implements Device {
  readonly memory!: PayloadMemory;
  readonly bufferAlignment = 16;
  readonly completionFd = -1;

  private constructor() {}

  /** Instantiates a plugin, gives it its parameters and asks whether it is ready. Throws BlockError. */
  static create(
    _prepared: PreparedPlugin,
    _values: readonly ParameterValue[],
    _options: PluginOptions,
  ): PluginDevice {
    throw new Error("Not written yet");
  }

  list(): ExportEntry[] {
    throw new Error("Not written yet");
  }

  defaultExport(): string | null {
    throw new Error("Not written yet");
  }

  open(_name: string, _options: OpenOptions): OpenExport {
    throw new Error("Not written yet");
  }

  reap(): void {}
  submitQueued(): void {}
  close(): void {}
}
