// SPDX-License-Identifier: MIT
// Runs small plugins for tests and asks them what a client would ask.

import assert from "node:assert/strict";
import type { OpenExport } from "../block/device.ts";
import { BlockError } from "../block/errno.ts";
import { Command, Piece, Request } from "../block/request.ts";
import { copyFrom } from "../block/memory.ts";
import { spaceIn } from "../block/testing.ts";
import { type LogLevel, PluginDevice, type PluginOptions } from "./instance.ts";
import { parseParameters } from "./parameters.ts";
import { preparePlugin } from "./prepare.ts";
import { plugin } from "./test_plugins.ts";
import { Watchdog } from "./watch.ts";

/** What a plugin under test is started with. */
export interface TestOptions extends Partial<PluginOptions> {
  manifest?: Record<string, unknown>;
  parameters?: string[];
  memoryMaximum?: number;
}

/** A request in words; offsets and lengths may be beyond 2^53. */
export interface TestRequest {
  offset?: bigint | number;
  length?: bigint | number;
  flags?: number;
}

/** A piece of an answer; the value of data is a pointer to it in the memory of the device. */
export interface TestPiece {
  kind: number;
  at: number;
  length: number;
  value: number;
}

/** A running plugin with what it has logged. */
export class TestPlugin {
  readonly device: PluginDevice;
  readonly lines: string[] = [];
  readonly request = new Request();
  #opened: OpenExport | null = null;

  /** Errno of each request that was pending, in the order in which they ended. */
  readonly ended: number[] = [];

  /** `wat`, or the bytes of a plugin that has a manifest. */
  constructor(wat: string | Uint8Array, options: TestOptions = {}) {
    const { manifest, parameters = [], memoryMaximum, ...rest } = options;
    const limit = memoryMaximum === undefined ? {} : { memoryMaximum };
    const bytes = typeof wat === "string" ? plugin(wat, manifest) : wat;
    const prepared = preparePlugin(bytes, limit);
    const values = parseParameters(prepared.manifest.parameters, parameters, {
      directory: "/base",
    });
    this.device = PluginDevice.create(prepared, values, {
      // This watchdog never gets to run during a call, which is on its own thread.
      watch: new Watchdog().watch(10_000),
      log: (level: LogLevel, text: string) => void this.lines.push(`${level}: ${text}`),
      instances: 1,
      ...rest,
    });
    this.request.space = spaceIn(this.device.memory);
    this.request.sink = { completed: (_request, errno) => void this.ended.push(errno) };
  }

  /** The default export, opened when it is first asked for. */
  get opened(): OpenExport {
    return this.#opened ??= this.device.open("", { readOnly: false, peer: "test" });
  }

  /** Submits a request and returns its result, 0 or an errno. */
  submit(command: number, { offset = 0, length = 4096, flags = 0 }: TestRequest = {}): number {
    const { request } = this;
    request.clear();
    request.command = command;
    request.flags = flags;
    [request.offsetHigh, request.offsetLow] = halves(offset);
    [request.lengthHigh, request.lengthLow] = halves(length);
    return this.opened.submit(request);
  }

  /** Writes `bytes`. */
  write(offset: number, bytes: Uint8Array, flags = 0): number {
    const pointer = this.device.memory.allocate(bytes.length, 16);
    this.device.memory.bytes.set(bytes, pointer);
    this.request.payload = this.device.memory.address + pointer;
    return this.submit(Command.Write, { offset, length: bytes.length, flags });
  }

  /** The bytes that the last answer has at its place, wherever they lie. */
  bytes(length: number): Uint8Array<ArrayBuffer> {
    const { request } = this;
    const out = new Uint8Array(length).fill(0xee);
    for (let index = 0; index < request.pieceCount; index++) {
      const at = request.pieceAt(index);
      const part = out.subarray(at, at + request.pieceLength(index));
      if (request.pieceKind(index) <= Piece.StableData) copyFrom(request.pieceValue(index), part);
      else part.fill(0);
    }
    return out;
  }

  /** What the device answers a read with, put together; throws where the read fails. */
  read(offset: number, length: number): Uint8Array {
    const errno = this.submit(Command.Read, { offset, length });
    if (errno !== 0) throw new Error(`errno ${errno}: ${this.request.errorText}`);
    return this.bytes(length);
  }

  /** The pieces of the last answer. */
  pieces(): TestPiece[] {
    const { request } = this;
    return Array.from({ length: request.pieceCount }, (_, index) => ({
      kind: request.pieceKind(index),
      at: request.pieceAt(index),
      length: request.pieceLength(index),
      value: this.#valueOf(index),
    }));
  }

  #valueOf(index: number): number {
    const value = this.request.pieceValue(index);
    const isData = this.request.pieceKind(index) <= Piece.StableData;
    return isData ? value - this.device.memory.address : value;
  }
}

function halves(value: bigint | number): [number, number] {
  const big = BigInt(value);
  return [Number(big >> 32n), Number(big & 0xffffffffn)];
}

/** A string in the plugin's memory at `at`, as a data segment. */
export function text(at: number, content: string): string {
  return `(data (P.const ${at}) ${JSON.stringify(content)})`;
}

/** Asserts that `run` throws a BlockError with this errno and message. */
export function fails(run: () => unknown, errno: number, message: RegExp): void {
  assert.throws(run, (error) => {
    assert(error instanceof BlockError, String(error));
    assert.equal(error.errno, errno, error.message);
    assert.match(error.message, message);
    return true;
  });
}
