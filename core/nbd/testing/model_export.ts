// SPDX-License-Identifier: MIT
// For tests: a small export in memory that can do everything, sparse in blocks of 512 bytes.

import type { OpenExport } from "../../block/device.ts";
import { BlockError, Errno } from "../../block/errno.ts";
import { BLOCK_SIZE_DEFAULT, type ExportEntry, type ExportInfo } from "../../block/export.ts";
import { Support } from "../../block/export.ts";
import type { PayloadMemory } from "../../block/memory.ts";
import { Command, ExtentFlag, type Request, Status } from "../../block/request.ts";
import type { ExportDirectory } from "../directory.ts";

const BLOCK = 512;
/** Where payloads of writes are put, with room for the largest that tests send. */
export const PAYLOAD_POINTER = 4096;
const PAYLOAD_ROOM = 256 * 1024;
const DATA_POINTER = PAYLOAD_POINTER + PAYLOAD_ROOM;

/** An ExportInfo of an export that can do everything; `changes` as wanted. */
export function exportInfo(size: number, changes: Partial<ExportInfo> = {}): ExportInfo {
  const native = Support.Native;
  return {
    name: "disk",
    description: "",
    sizeHigh: Math.floor(size / 4294967296),
    sizeLow: size % 4294967296,
    readOnly: false,
    rotational: false,
    blockSize: BLOCK_SIZE_DEFAULT,
    can: {
      write: native,
      flush: native,
      fua: native,
      trim: native,
      zero: native,
      fastZero: native,
      cache: native,
      extents: native,
      multiConn: native,
      secureErase: Support.None,
      ioctl: Support.None,
    },
    ...changes,
  };
}

/** Memory of a fixed size without an address: nothing here does system calls. */
export class ModelMemory implements PayloadMemory {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  readonly address = 0;

  constructor(length: number) {
    this.bytes = new Uint8Array(length);
    this.view = new DataView(this.bytes.buffer);
  }

  allocate(): number {
    return 0;
  }

  free(): void {}
}

/** See the top of this file. */
export class ModelExport implements OpenExport {
  readonly info: ExportInfo;
  readonly memory: ModelMemory;
  /** Whether it was closed. */
  closed = false;
  /** Called first: an answer instead of the usual one, unless it returns undefined. */
  answer: ((request: Request) => number | undefined) | null = null;
  /** Requests that were submitted, by command. */
  readonly counts = new Array<number>(8).fill(0);
  readonly #allocated: Uint8Array;

  constructor(info: ExportInfo) {
    this.info = info;
    this.memory = new ModelMemory(DATA_POINTER + info.sizeLow);
    this.#allocated = new Uint8Array(Math.ceil(info.sizeLow / BLOCK));
  }

  /** The contents. */
  get data(): Uint8Array {
    return this.memory.bytes.subarray(DATA_POINTER);
  }

  submit(request: Request): number {
    this.counts[request.command]!++;
    const outcome = this.answer?.(request);
    if (outcome !== undefined) return outcome;
    const { offset, length } = request;
    switch (request.command) {
      case Command.Read:
        this.#read(request, offset, length);
        break;
      case Command.Write:
        this.write(offset, this.memory.bytes.subarray(request.payload, request.payload + length));
        break;
      case Command.Trim:
      case Command.WriteZeroes:
        this.zero(offset, length);
        break;
      case Command.BlockStatus:
        this.#status(request, offset, length);
        break;
    }
    return Status.Done;
  }

  close(): void {
    if (this.closed) throw new Error("Closed twice");
    this.closed = true;
  }

  /** Puts `bytes` into the contents. */
  write(offset: number, bytes: Uint8Array): void {
    this.data.set(bytes, offset);
    this.#mark(offset, bytes.length, 1);
  }

  /** Makes bytes zero, and whole blocks holes. */
  zero(offset: number, length: number): void {
    this.data.fill(0, offset, offset + length);
    const from = Math.ceil(offset / BLOCK);
    const to = Math.floor((offset + length) / BLOCK);
    if (from < to) this.#allocated.fill(0, from, to);
  }

  #mark(offset: number, length: number, value: number): void {
    this.#allocated.fill(value, Math.floor(offset / BLOCK), Math.ceil((offset + length) / BLOCK));
  }

  /** Calls back for each run of blocks of one kind. */
  #runs(
    offset: number,
    length: number,
    run: (at: number, length: number, allocated: boolean) => void,
  ) {
    for (let at = 0; at < length;) {
      const kind = this.#allocated[Math.floor((offset + at) / BLOCK)];
      let next = Math.floor((offset + at) / BLOCK) + 1;
      while (next * BLOCK < offset + length && this.#allocated[next] === kind) next++;
      const end = Math.min(next * BLOCK - offset, length);
      run(at, end - at, kind === 1);
      at = end;
    }
  }

  #read(request: Request, offset: number, length: number): void {
    this.#runs(offset, length, (at, size, allocated) => {
      if (allocated) request.data(at, DATA_POINTER + offset + at, size, true);
      else request.zero(at, size, true);
    });
  }

  #status(request: Request, offset: number, length: number): void {
    this.#runs(offset, length, (_at, size, allocated) => {
      request.extent(0, size, allocated ? 0 : ExtentFlag.Hole | ExtentFlag.Zero);
    });
  }
}

/** A directory of exports that remembers what it opened. */
export class ModelDirectory implements ExportDirectory {
  readonly opened: ModelExport[] = [];
  readonly infos: Map<string, ExportInfo>;
  readonly #default: string | null;

  /** The first of `infos` is the default export, unless `defaultName` says otherwise. */
  constructor(infos: ExportInfo[], defaultName: string | null = infos[0]?.name ?? null) {
    this.infos = new Map(infos.map((info) => [info.name, info]));
    this.#default = defaultName;
  }

  list(): ExportEntry[] {
    return [...this.infos.values()].map(({ name, description }) => ({ name, description }));
  }

  defaultExport(): string | null {
    return this.#default;
  }

  open(name: string): ModelExport {
    const info = this.infos.get(name);
    if (info === undefined) {
      throw new BlockError(Errno.ENOENT, `cannot open export "${name}": it does not exist`);
    }
    const opened = new ModelExport(info);
    this.opened.push(opened);
    return opened;
  }
}
