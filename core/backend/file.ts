// SPDX-License-Identifier: MIT
// The file backend (docs/file.md): a file, a block device, an inherited descriptor or a directory of
// files as a Device.

import type { Device, OpenExport, OpenOptions } from "../block/device.ts";
import type { ExportEntry } from "../block/export.ts";
import { ParameterError } from "../plugin/errors.ts";
import type { LogLevel } from "../plugin/instance.ts";
import type { ParameterValue } from "../plugin/parameters.ts";
import { Advice, adviseAt } from "../../native/file_data.ts";
import { inMemory, Open, openFile } from "../../native/file.ts";
import { type Mapping, reserve, unmap } from "../../native/mmap.ts";
import { createQueue } from "./create_queue.ts";
import { FileExport } from "./file_export.ts";
import { fileInfo } from "./file_info.ts";
import { FileServices } from "./file_services.ts";
import { DescriptorSource, DirectorySource, type FileSource, PathSource } from "./file_source.ts";
import { FileTraits } from "./file_traits.ts";
import { HostMemory } from "./host_memory.ts";
import type { HostFile } from "./host_file.ts";
import { OperationPool, type OperationQueue } from "./operation.ts";

/** Where zeroes are written from when a filesystem has no better way. */
const ZEROES_BYTES = 1024 * 1024;
/** Keeps answers in cache lines of their own. */
const BUFFER_ALIGNMENT = 64;
/** What direct I/O may ask of memory at most. */
const DIRECT_BUFFER_ALIGNMENT = 4096;

/** Surroundings of a file device. */
export interface FileOptions {
  log(level: LogLevel, text: string): void;
  /** Memory for payloads in bytes; HOST_MEMORY_BYTES_MAX when absent. */
  memoryBytesMax?: number;
  /** False: wait for the disk in system calls even where the kernel has io_uring. */
  ioUring?: boolean;
}

/** See the top of this file. */
export class FileDevice implements Device {
  readonly memory: HostMemory;
  readonly bufferAlignment: number;
  readonly completionFds: readonly number[];
  /** Nothing happens here but what the kernel reports. */
  readonly nextMs = Infinity;
  readonly busy = false;

  readonly #source: FileSource;
  readonly #direct: boolean;
  readonly #advice: number;
  readonly #queue: OperationQueue;
  readonly #operations = new OperationPool();
  readonly #services: FileServices;
  readonly #zeroes: Mapping;
  readonly #traits = new Map<string, FileTraits>();

  private constructor(source: FileSource, values: Values, options: FileOptions) {
    this.#source = source;
    this.#direct = values.direct;
    this.#advice = values.advice;
    this.memory = new HostMemory(options.memoryBytesMax);
    this.bufferAlignment = values.direct ? DIRECT_BUFFER_ALIGNMENT : BUFFER_ALIGNMENT;
    this.#queue = createQueue(options);
    this.completionFds = [this.#queue.completionFd];
    this.#zeroes = reserve(ZEROES_BYTES);
    const zeroes = { address: this.#zeroes.address, length: ZEROES_BYTES };
    const { memory } = this;
    this.#services = new FileServices(memory, this.#queue, this.#operations, zeroes, options.log);
  }

  /**
   * Makes a device of parameters (FILE_MANIFEST). Throws ParameterError when they do not name one
   * thing to serve, BlockError when that cannot be read. To be called on the thread that uses it.
   */
  static create(values: readonly ParameterValue[], options: FileOptions): FileDevice {
    const chosen = readValues(values);
    const source = openSource(chosen);
    try {
      return new FileDevice(source, chosen, options);
    } catch (error) {
      source.close();
      throw error;
    }
  }

  list(): ExportEntry[] {
    return this.#source.list();
  }

  defaultExport(): string | null {
    return this.#source.defaultExport;
  }

  /** Everybody may connect. */
  connect(_peer: string): void {}

  open(name: string, options: OpenOptions): OpenExport {
    const { readOnly } = options;
    const file = this.#source.open(name, { readOnly, direct: this.#direct });
    // The file may have been replaced under its name: what was learnt belongs to the file itself.
    const { identity } = file.facts;
    let traits = this.#traits.get(identity);
    if (traits === undefined) {
      traits = new FileTraits(!file.isBlockDevice && inMemory(file.fd));
      this.#traits.set(identity, traits);
    }
    traits.references++;
    if (this.#advice !== Advice.Normal) adviseAt(file.fd, 0, 0, 0, 0, this.#advice);
    const info = fileInfo(file, name, this.#describe(name), readOnly);
    return new FileExport(info, file, traits, this.#services, () => this.#closed(file, traits));
  }

  reap(): void {
    this.#queue.reap();
  }

  submitQueued(): void {
    this.#queue.submit();
  }

  finish(): number {
    return -1;
  }

  close(): void {
    this.#queue.close();
    this.#source.close();
    this.memory.close();
    unmap(this.#zeroes);
  }

  #closed(file: HostFile, traits: FileTraits): void {
    if (--traits.references === 0) this.#traits.delete(file.facts.identity);
    file.close();
  }

  #describe(name: string): string {
    return name === "" ? this.#source.list()[0]!.description : "";
  }
}

interface Values {
  file?: string;
  fd?: number;
  dir?: string;
  dirfd?: number;
  direct: boolean;
  advice: number;
}

const ADVICE = [Advice.Normal, Advice.Random, Advice.Sequential];

function readValues(values: readonly ParameterValue[]): Values {
  const chosen: Values = { direct: false, advice: Advice.Normal };
  for (const value of values) {
    switch (value.name) {
      case "file":
      case "dir":
        chosen[value.name] = value.value as string;
        break;
      case "fd":
      case "dirfd":
        chosen[value.name] = Number(value.value);
        break;
      case "direct":
        chosen.direct = value.value as boolean;
        break;
      case "fadvise":
        if (value.type === "enum") chosen.advice = ADVICE[value.position]!;
        break;
    }
  }
  const given = ["file", "fd", "dir", "dirfd"].filter((key) => key in chosen);
  if (given.length === 1) return chosen;
  throw new ParameterError(
    given.length === 0
      ? 'cannot serve "file": no file is named; write "file PATH", or give "fd=", "dir=" or "dirfd="'
      : `cannot use "${given[0]}=" together with "${
        given[1]
      }=": they exclude each other; give one of them`,
  );
}

function openSource(values: Values): FileSource {
  if (values.file !== undefined) return new PathSource(values.file, values.direct);
  if (values.fd !== undefined) return new DescriptorSource(values.fd, values.direct);
  if (values.dirfd !== undefined) {
    return new DirectorySource(`descriptor ${values.dirfd}`, values.dirfd, false);
  }
  const path = values.dir!;
  return new DirectorySource(`"${path}"`, openFile(path, Open.ReadOnly | Open.Directory), true);
}
