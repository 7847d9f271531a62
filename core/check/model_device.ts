// SPDX-License-Identifier: MIT
// A device out of a ModelDisk, to put below a filter that is checked. It answers at once, or late and
// in an order of its own; it can do everything or little; and it can be told to fail.

import type { Device, OpenExport, OpenOptions } from "../block/device.ts";
import { BlockError, Errno } from "../block/errno.ts";
import { type BlockSize, type ExportEntry, type ExportInfo, Support } from "../block/export.ts";
import { copyFrom } from "../block/memory.ts";
import { Command, ExtentFlag, type Request, RequestFlag, Status } from "../block/request.ts";
import { HostMemory } from "../backend/host_memory.ts";
import { MODEL_BLOCK, type ModelDisk } from "./model_disk.ts";
import type { Random } from "./random.ts";

/** Room for payloads: twice the largest. */
const MEMORY_BYTES = 80 * 1024 * 1024;

/** How a model device behaves. */
export interface ModelBehaviour {
  /** Answers come later, in any order. */
  late: boolean;
  /** Opened read-only, whatever is asked for. */
  readOnly: boolean;
  /** It can read and write, and nothing else. */
  plain: boolean;
  blockSize: BlockSize;
}

/** See the top of this file. */
export class ModelDevice implements Device {
  readonly memory = new HostMemory(MEMORY_BYTES);
  readonly bufferAlignment = 16;
  readonly completionFds: readonly number[] = [];
  readonly busy = false;
  /** The errno that a request is to fail with; 0 for none. */
  failing: (request: Request) => number = () => 0;
  /** Exports of it that are open. */
  opened = 0;

  readonly #disk: ModelDisk;
  readonly #random: Random;
  readonly #behaviour: ModelBehaviour;
  readonly #waiting: Request[] = [];

  constructor(disk: ModelDisk, behaviour: ModelBehaviour, random: Random) {
    this.#disk = disk;
    this.#behaviour = behaviour;
    this.#random = random;
  }

  get nextMs(): number {
    return this.#waiting.length > 0 ? 0 : Infinity;
  }

  /** Requests that it has not answered yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  list(): ExportEntry[] {
    return [{ name: "", description: "model" }];
  }

  defaultExport(): string {
    return "";
  }

  connect(_peer: string): void {}

  open(name: string, options: OpenOptions): OpenExport {
    if (name !== "") throw new BlockError(Errno.ENOENT, `there is no export "${name}"`);
    this.opened++;
    const info = this.#info(options.readOnly || this.#behaviour.readOnly);
    return {
      info,
      submit: (request) => this.#submit(request),
      close: () => void this.opened--,
    };
  }

  /** Answers some of what waits: the oldest, or any other. */
  reap(): void {
    for (let left = 1 + this.#random.below(3); left > 0 && this.#waiting.length > 0; left--) {
      const [request] = this.#waiting.splice(this.#random.below(this.#waiting.length), 1);
      request!.sink.completed(request!, this.#carryOut(request!));
    }
  }

  submitQueued(): void {}

  finish(): number {
    return -1;
  }

  close(): void {
    this.memory.close();
  }

  #submit(request: Request): number {
    if (!this.#behaviour.late) return this.#carryOut(request);
    this.#waiting.push(request);
    return Status.Pending;
  }

  #carryOut(request: Request): number {
    const errno = this.failing(request);
    if (errno !== 0) {
      request.errorText = "the model was told to fail";
      return errno;
    }
    const { offset, length, flags } = request;
    const fua = (flags & RequestFlag.Fua) !== 0;
    const disk = this.#disk;
    switch (request.command) {
      case Command.Read:
        this.#read(request, offset, length);
        return 0;
      case Command.Write: {
        const data = new Uint8Array(length);
        copyFrom(request.payload, data);
        disk.write(offset, data);
        disk.changed(offset, length, fua);
        return 0;
      }
      case Command.Flush:
        disk.flush();
        return 0;
      case Command.Trim:
        disk.trim(offset, length, this.#random);
        disk.changed(offset, length, fua);
        return 0;
      case Command.WriteZeroes:
        disk.zero(offset, length, (flags & RequestFlag.NoHole) === 0);
        disk.changed(offset, length, fua);
        return 0;
      case Command.SecureErase:
        disk.zero(offset, length, true);
        disk.changed(offset, length, true);
        return 0;
      case Command.Ioctl:
        return Errno.ENOTTY;
      case Command.BlockStatus:
        this.#extents(request, offset, length, (flags & RequestFlag.ReqOne) !== 0);
        return 0;
      default:
        return 0;
    }
  }

  #read(request: Request, offset: number, length: number): void {
    this.#runs(offset, length, (from, count, allocated) => {
      const at = from - offset;
      if (allocated) request.data(at, this.#disk.address + from, count, true);
      else request.zero(at, count, true);
      return true;
    });
  }

  #extents(request: Request, offset: number, length: number, one: boolean): void {
    this.#runs(offset, length, (_, count, allocated) => {
      request.extent(0, count, allocated ? 0 : ExtentFlag.Hole | ExtentFlag.Zero);
      return !one;
    });
  }

  /** Calls `use` with each run of blocks that are alike, cut to the range, until it says false. */
  #runs(
    offset: number,
    length: number,
    use: (from: number, count: number, allocated: boolean) => boolean,
  ): void {
    const { allocated } = this.#disk;
    const end = offset + length;
    for (let from = offset; from < end;) {
      const first = Math.floor(from / MODEL_BLOCK);
      let block = first + 1;
      while (block * MODEL_BLOCK < end && allocated[block] === allocated[first]) block++;
      const to = Math.min(end, block * MODEL_BLOCK);
      if (!use(from, to - from, allocated[first] === 1)) return;
      from = to;
    }
  }

  #info(readOnly: boolean): ExportInfo {
    const { plain, blockSize } = this.#behaviour;
    const able = plain ? Support.None : Support.Native;
    const writing = readOnly ? Support.None : Support.Native;
    return {
      name: "",
      description: "model",
      sizeHigh: 0,
      sizeLow: this.#disk.bytes.length,
      readOnly,
      rotational: false,
      blockSize,
      can: {
        write: writing,
        flush: able,
        fua: readOnly ? Support.None : able,
        trim: readOnly ? Support.None : able,
        zero: readOnly ? Support.None : able,
        fastZero: readOnly ? Support.None : able,
        cache: able,
        extents: able,
        multiConn: Support.Native,
        secureErase: readOnly ? Support.None : able,
        ioctl: able,
      },
    };
  }
}
