// SPDX-License-Identifier: MIT
// The files that one instance has open, by the numbers that it knows them by, and what it has under
// way on them (ABI, "Files"). Which files there are for it to open, a FileStore decides.

import { BlockError, Errno } from "../block/errno.ts";
import { Status } from "../block/request.ts";
import { CallFlag, FileFlag } from "./abi.ts";
import { type FileJob, FileJobKind, FileJobPool, type FileJobSink } from "./file_job.ts";
import type { Host } from "./host.ts";

/** Files that one instance may have open. */
export const FILES_MAX = 64;
/** Calls on files that one instance may have under way. */
export const FILE_JOBS_MAX = 1024;
/** Bytes that one call may read or write. */
export const FILE_BYTES_MAX = 2 ** 30;
const HIGH = 4294967296;

/** A file that was opened for a plugin. */
export interface GrantedFile {
  /** Its size in bytes now. Throws BlockError. */
  size(): bigint;
  /** Makes it longer or shorter. Returns 0 or an errno. */
  resize(sizeHigh: number, sizeLow: number): number;
  /**
   * Does what `job` says. Returns 0, an errno, or Status.Pending; then the job's sink is told, from
   * `FileStore.reap`. With `wait` it does not return before it is done.
   */
  run(job: FileJob, wait: boolean): number;
  /** Nothing may be under way. */
  close(): void;
}

/** The files that a plugin may open. */
export interface FileStore {
  readonly completionFds: readonly number[];
  /** Opens what a plugin calls `path`; `flags`: FileFlag. Throws BlockError. */
  open(path: string, flags: number): GrantedFile;
  reap(): void;
  submit(): void;
  close(): void;
}

/** An open file with what is under way on it. */
class Entry {
  jobs = 0;
  closed = false;

  constructor(readonly file: GrantedFile, readonly writable: boolean) {}

  /** Closes the file as soon as nothing is under way. */
  release(): void {
    if (this.closed && this.jobs === 0) this.file.close();
  }
}

/** See the top of this file. */
export class Files implements FileJobSink {
  /** Calls that are under way. */
  pending = 0;
  readonly #host: Host;
  readonly #store: FileStore | null;
  readonly #entries: (Entry | null)[] = [];
  readonly #pool = new FileJobPool();
  readonly #jobs = new Set<FileJob>();

  constructor(host: Host, store: FileStore | null) {
    this.#host = host;
    this.#store = store;
  }

  /** Opens a file. Returns its number or a negative errno; errorText says more. */
  open(path: string, flags: number): number {
    const store = this.#store;
    if (store === null) return -Errno.EPERM;
    if ((flags & ~FILE_FLAGS) !== 0) {
      this.#host.lied(`file_open: unknown flags 0x${flags.toString(16)}`);
      return -Errno.EINVAL;
    }
    let number = this.#entries.indexOf(null);
    if (number < 0) number = this.#entries.length;
    if (number >= FILES_MAX) return -Errno.EMFILE;
    try {
      const file = store.open(path, flags);
      this.#entries[number] = new Entry(file, (flags & FileFlag.Write) !== 0);
      return number;
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      this.#host.errorText = error.message;
      return -error.errno;
    }
  }

  close(number: number): void {
    const entry = this.#entry("file_close", number);
    if (entry === null) return;
    this.#entries[number] = null;
    entry.closed = true;
    entry.release();
  }

  /** Size in bytes, or a negative errno. */
  size(number: number): bigint {
    const entry = this.#entry("file_size", number);
    if (entry === null) return BigInt(-Errno.EBADF);
    try {
      return entry.file.size();
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      this.#host.errorText = error.message;
      return BigInt(-error.errno);
    }
  }

  /** Returns 0 or an errno. */
  resize(number: number, sizeHigh: number, sizeLow: number): number {
    const entry = this.#entry("file_resize", number);
    if (entry === null) return Errno.EBADF;
    if (!entry.writable) return Errno.EBADF;
    return sizeHigh < 0 ? Errno.EFBIG : entry.file.resize(sizeHigh, sizeLow >>> 0);
  }

  /** Reads, writes, zeroes or syncs. Returns 0, an errno or Status.Pending. */
  run(
    call: string,
    kind: number,
    number: number,
    pointer: number,
    countHigh: number,
    countLow: number,
    offsetHigh: number,
    offsetLow: number,
    flags: number,
    token: number,
  ): number {
    const host = this.#host;
    const entry = this.#entry(call, number);
    if (entry === null) return Errno.EBADF;
    const fact = this.#fault(kind, pointer, countHigh, countLow, offsetHigh, flags, token);
    if (fact !== "") {
      host.lied(`${call}: ${fact}`);
      return Errno.EINVAL;
    }
    if (kind !== FileJobKind.Read && !entry.writable) return Errno.EBADF;
    if (this.pending >= FILE_JOBS_MAX) return Errno.EAGAIN;
    if (kind !== FileJobKind.Sync && (countHigh | countLow) === 0) return 0;
    const job = this.#pool.take();
    job.kind = kind;
    job.memory = host.memory;
    job.address = host.memory.address + pointer;
    job.lengthHigh = countHigh >>> 0;
    job.lengthLow = countLow >>> 0;
    job.offsetHigh = offsetHigh >>> 0;
    job.offsetLow = offsetLow >>> 0;
    job.fua = (flags & CallFlag.Fua) !== 0;
    job.mayTrim = (flags & CallFlag.MayTrim) !== 0;
    job.token = token;
    job.told = true;
    job.owner = entry;
    job.sink = this;
    const status = entry.file.run(job, token === 0);
    if (status === Status.Pending) {
      entry.jobs++;
      this.pending++;
      this.#jobs.add(job);
      return Status.Pending;
    }
    if (status !== 0 && job.errorText !== "") host.errorText = job.errorText;
    this.#pool.give(job);
    return status;
  }

  finished(job: FileJob, errno: number): void {
    const host = this.#host;
    const entry = job.owner as Entry;
    const { token, told, errorText } = job;
    this.#jobs.delete(job);
    this.#pool.give(job);
    this.pending--;
    entry.jobs--;
    entry.release();
    if (told) host.done(token, errno, errno === 0 ? "" : errorText);
  }

  /** The instance has failed: nobody waits for what is under way. */
  forget(): void {
    for (const job of this.#jobs) job.told = false;
  }

  /** The instance is thrown away. */
  closeAll(): void {
    this.forget();
    this.#entries.forEach((entry) => {
      if (entry === null) return;
      entry.closed = true;
      entry.release();
    });
    this.#entries.length = 0;
  }

  #entry(call: string, number: number): Entry | null {
    const entry = this.#entries[number] ?? null;
    if (entry === null) this.#host.lied(`${call}: there is no open file ${number}`);
    return entry;
  }

  /** What is wrong with a call; "" if nothing is. */
  #fault(
    kind: number,
    pointer: number,
    countHigh: number,
    countLow: number,
    offsetHigh: number,
    flags: number,
    token: number,
  ): string {
    const host = this.#host;
    if ((flags & ~FLAGS[kind]!) !== 0) return `unknown flags 0x${flags.toString(16)}`;
    if (countHigh < 0 || offsetHigh < 0) return "counts and offsets have 63 bits";
    if (token === 0 && !host.mayWait) {
      return "the token 0 means to wait, which a call for a request may not";
    }
    if (token !== 0 && host.sbDone === null) return "there is no function sb_done to tell";
    if (kind !== FileJobKind.Read && kind !== FileJobKind.Write) return "";
    const count = countHigh * HIGH + (countLow >>> 0);
    if (count > FILE_BYTES_MAX) return `${count} bytes at once; ${FILE_BYTES_MAX} are possible`;
    const { memory } = host;
    memory.refresh();
    return memory.contains(pointer, count)
      ? ""
      : `${count} bytes at ${pointer} are not in its memory`;
  }
}

const FILE_FLAGS = FileFlag.Write | FileFlag.Create | FileFlag.Exclusive | FileFlag.Truncate |
  FileFlag.Lock;

/** Flags that each kind of call may have. */
const FLAGS: Readonly<Record<number, number>> = {
  [FileJobKind.Read]: 0,
  [FileJobKind.Write]: CallFlag.Fua,
  [FileJobKind.Sync]: 0,
  [FileJobKind.Zero]: CallFlag.MayTrim,
};
