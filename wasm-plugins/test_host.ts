// SPDX-License-Identifier: MIT
// A second, independent host for plugins of ABI 3.0, for tests: it instantiates the module as it is
// and takes every i64 as a bigint, where core/plugin rewrites the module. It trusts nothing either.

import assert from "node:assert/strict";
import { compileModule, type TestLimits } from "./test_module.ts";

/** One piece of the answer to a read; `at` is relative to the read. */
export interface ReadPiece {
  kind: "data" | "zero" | "hole" | "error";
  at: bigint;
  length: bigint;
  pointer: number;
  stable: boolean;
  errno: number;
}

/** One extent of the answer to a block status; flags: hole 1, zero 2. */
export interface StatusExtent {
  length: bigint;
  flags: number;
}

/** A parameter value: numbers as the host would deliver them, everything else as bytes. */
export type TestParameter = bigint | string | Uint8Array<ArrayBuffer>;

/** A plugin call that returned an errno. */
export class CallFailure extends Error {
  override readonly name = "CallFailure";
  constructor(readonly errno: number, text: string) {
    super(text);
  }
}

export const CallFlag = { Fua: 1, MayTrim: 2, FastZero: 4, ReqOne: 8 } as const;

/** Fields of the struct that `sb_info` fills in, in order. */
const INFO_FIELDS = [
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
export type InfoField = typeof INFO_FIELDS[number];

type PluginFunction = (...args: (number | bigint)[]) => number | bigint | undefined;

interface ManifestParameter {
  name: string;
  type: string;
  required?: boolean;
  default?: string;
}

/** A running plugin with its only export open. */
export class TestHost {
  readonly #exports: Record<string, PluginFunction>;
  readonly #memory: WebAssembly.Memory;
  readonly #request = 7;
  #pieces: ReadPiece[] = [];
  #extents: StatusExtent[] = [];
  #errorText = "";
  #handle = 0;
  /** Bytes that the plugin has given back to the system so far. */
  releasedBytes = 0;
  /** Calls of the `release` import so far. */
  releases = 0;
  /** Lines that the plugin logged. */
  readonly logLines: string[] = [];

  private constructor(module: WebAssembly.Module) {
    const instance = new WebAssembly.Instance(module, { "sandblock:v3": this.#imports() });
    this.#exports = instance.exports as Record<string, PluginFunction>;
    this.#memory = instance.exports["memory"] as WebAssembly.Memory;
  }

  /** Compiles and starts the plugin in `folder`. Throws CallFailure where it refuses. */
  static async start(
    folder: string,
    parameters: Record<string, TestParameter> = {},
    limits: TestLimits = {},
  ): Promise<TestHost> {
    const module = await compileModule(folder, limits);
    const sections = WebAssembly.Module.customSections(module, "sandblock.manifest");
    assert.equal(sections.length, 1);
    const manifest = JSON.parse(new TextDecoder().decode(sections[0]));
    const host = new TestHost(module);
    host.#deliver(manifest.parameters, parameters);
    if (host.has("sb_ready")) host.#call("sb_ready");
    host.#handle = host.open("");
    return host;
  }

  has(name: string): boolean {
    return this.#exports[name] !== undefined;
  }

  /** Opens an export; returns its handle. */
  open(name: string): number {
    const [pointer, length] = name === "" ? [0, 0] : this.#put(new TextEncoder().encode(name));
    this.#errorText = "";
    const handle = this.#raw("sb_open", pointer, length, 0) as number;
    if (handle < 0) throw new CallFailure(-handle, this.#errorText);
    return handle;
  }

  get size(): bigint {
    return this.#raw("sb_size", this.#handle) as bigint;
  }

  /** Bytes of linear memory. */
  get memoryBytes(): number {
    return this.#memory.buffer.byteLength;
  }

  /** What `sb_info` sets, over a struct full of 99. */
  info(): Record<InfoField, number> {
    const bytes = INFO_FIELDS.length * 4;
    const [pointer] = this.#put(
      new Uint8Array(new Uint32Array(INFO_FIELDS.length).fill(99).buffer),
    );
    new DataView(this.#memory.buffer).setUint32(pointer, bytes, true);
    this.#call("sb_info", this.#handle, pointer);
    const words = new Uint32Array(this.#memory.buffer.slice(pointer, pointer + bytes));
    const entries = INFO_FIELDS.map((field, index) => [field, words[index]!]);
    return Object.fromEntries(entries) as Record<InfoField, number>;
  }

  /** Reads; the pieces are checked to cover exactly what was asked for. */
  pieces(offset: bigint, length: bigint): ReadPiece[] {
    this.#pieces = [];
    this.#call("sb_pread", this.#handle, this.#request, length, offset, 0);
    let at = 0n;
    for (const piece of this.#pieces) {
      assert.equal(piece.at, at, "pieces follow one another");
      assert(piece.length > 0n, "no piece is empty");
      at += piece.length;
      if (piece.kind !== "data") continue;
      assert(piece.pointer > 0 && piece.pointer + Number(piece.length) <= this.memoryBytes);
    }
    assert.equal(at, length, "pieces cover the read");
    return this.#pieces;
  }

  /** Reads into a new array. */
  read(offset: bigint, length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    for (const piece of this.pieces(offset, BigInt(length))) {
      assert.notEqual(piece.kind, "error");
      if (piece.kind !== "data") continue;
      const from = new Uint8Array(this.#memory.buffer, piece.pointer, Number(piece.length));
      bytes.set(from, Number(piece.at));
    }
    return bytes;
  }

  /** Writes; the payload lies in the plugin's memory during the call only. */
  write(offset: bigint, data: Uint8Array, flags = 0): void {
    const [pointer, length] = this.#put(data);
    try {
      const count = BigInt(length);
      this.#call("sb_pwrite", this.#handle, this.#request, pointer, count, offset, flags);
    } finally {
      new Uint8Array(this.#memory.buffer, pointer, length).fill(0xee);
      this.#raw("sb_free", pointer, length, 8);
    }
  }

  trim(offset: bigint, length: bigint, flags = 0): void {
    this.#call("sb_trim", this.#handle, this.#request, length, offset, flags);
  }

  zero(offset: bigint, length: bigint, flags = 0): void {
    this.#call("sb_zero", this.#handle, this.#request, length, offset, flags);
  }

  flush(): void {
    this.#call("sb_flush", this.#handle, this.#request, 0);
  }

  cache(offset: bigint, length: bigint): void {
    this.#call("sb_cache", this.#handle, this.#request, length, offset, 0);
  }

  /** Block status; checked to be non-empty and to stay inside of what was asked for. */
  extents(offset: bigint, length: bigint, flags = 0): StatusExtent[] {
    this.#extents = [];
    this.#call("sb_extents", this.#handle, this.#request, length, offset, flags);
    let total = 0n;
    for (const extent of this.#extents) {
      assert(extent.length > 0n);
      total += extent.length;
    }
    assert(total > 0n && total <= length);
    return this.#extents;
  }

  #deliver(declared: ManifestParameter[], given: Record<string, TestParameter>): void {
    for (const [index, { name, type, ...rest }] of declared.entries()) {
      const usual = rest.default === undefined ? undefined : parseDefault(type, rest.default);
      const value = given[name] ?? usual;
      assert(value !== undefined || !rest.required, `parameter ${name} is required`);
      if (value === undefined) continue;
      if (typeof value === "bigint") {
        this.#raw("sb_param_int", index, value);
      } else {
        const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
        const [pointer, length] = this.#put(bytes);
        this.#raw("sb_param_bytes", index, pointer, length);
        new Uint8Array(this.#memory.buffer, pointer, length).fill(0xee);
        this.#raw("sb_free", pointer, length, 8);
      }
    }
    const unknown = Object.keys(given).filter((key) => !declared.some(({ name }) => name === key));
    assert.deepEqual(unknown, []);
  }

  /** Copies bytes into memory of the plugin. */
  #put(bytes: Uint8Array): [pointer: number, length: number] {
    const pointer = (this.#raw("sb_alloc", bytes.length, 8) as number) >>> 0;
    if (pointer === 0) throw new CallFailure(12, "sb_alloc returned 0");
    assert.equal(pointer % 8, 0);
    new Uint8Array(this.#memory.buffer).set(bytes, pointer);
    return [pointer, bytes.length];
  }

  /** `sb_alloc` and `sb_free`, as the host would call them for its buffers. */
  alloc(size: number, align: number): number {
    return (this.#raw("sb_alloc", size, align) as number) >>> 0;
  }

  free(pointer: number, size: number, align: number): void {
    this.#raw("sb_free", pointer, size, align);
  }

  /** Calls a function that returns an errno. */
  #call(name: string, ...args: (number | bigint)[]): void {
    this.#errorText = "";
    const errno = this.#raw(name, ...args);
    if (errno !== 0) throw new CallFailure(Number(errno), this.#errorText);
  }

  #raw(name: string, ...args: (number | bigint)[]): number | bigint | undefined {
    const target = this.#exports[name];
    if (target === undefined) throw new Error(`the plugin does not export ${name}`);
    return target(...args);
  }

  #text(pointer: number, length: number): string {
    const bytes = new Uint8Array(this.#memory.buffer, pointer >>> 0, length >>> 0);
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  }

  #piece(request: number, at: bigint, length: bigint, piece: Partial<ReadPiece>): void {
    assert.equal(request, this.#request);
    const nothing = { kind: "zero", pointer: 0, stable: false, errno: 0 } as const;
    this.#pieces.push({ ...nothing, ...piece, at, length });
  }

  #imports(): WebAssembly.ModuleImports {
    return {
      reply_data: (request: number, at: bigint, pointer: number, length: bigint, flags: number) => {
        const stable = (flags & 1) === 1;
        this.#piece(request, at, length, { kind: "data", pointer: pointer >>> 0, stable });
      },
      reply_buffer: (request: number, at: bigint, length: bigint) => {
        const pointer = (this.#raw("sb_alloc", Number(length), 16) as number) >>> 0;
        this.#piece(request, at, length, { kind: "data", pointer });
        return pointer;
      },
      reply_zero: (request: number, at: bigint, length: bigint, flags: number) =>
        this.#piece(request, at, length, { kind: flags & 1 ? "hole" : "zero" }),
      reply_error: (request: number, at: bigint, length: bigint, errno: number) =>
        this.#piece(request, at, length, { kind: "error", errno }),
      extent: (request: number, length: bigint, flags: number) => {
        assert.equal(request, this.#request);
        this.#extents.push({ length, flags });
      },
      error_text: (pointer: number, length: number) =>
        void (this.#errorText = this.#text(pointer, length)),
      log: (_level: number, pointer: number, length: number) =>
        void this.logLines.push(this.#text(pointer, length)),
      release: (pointer: number, length: number) => {
        new Uint8Array(this.#memory.buffer, pointer >>> 0, length >>> 0).fill(0);
        this.releasedBytes += length >>> 0;
        this.releases++;
      },
    };
  }
}

/** The value of a manifest's default, for the types that the bundled plugins use. */
function parseDefault(type: string, text: string): TestParameter {
  if (type === "bool") return text === "true" ? 1n : 0n;
  const number = BigInt(text.replace(/[KMG%]$/, ""));
  const shift = { K: 10n, M: 20n, G: 30n }[text.slice(-1)] ?? 0n;
  return type === "percentage" ? number * 10000n : number << shift;
}
