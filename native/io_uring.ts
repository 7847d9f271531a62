// SPDX-License-Identifier: MIT
// io_uring(7): operations on files that the kernel finishes in the background. The rings are mapped
// and filled in from here; the caller keeps the number of operations under way within `entries`.

import { check, lastErrno, SystemError } from "./errno.ts";
import { closeDescriptor } from "./descriptor.ts";
import { type Mapping, mapShared, unmap } from "./mmap.ts";
import { lateFunctions } from "./late.ts";

const { symbols } = Deno.dlopen("libc.so.6", {
  // Shapes of syscall(2): only i32, u32, pointer and buffer, which V8 passes without a detour.
  syscall: { parameters: ["i32", "i32", "u32", "u32", "u32", "pointer", "i32"], result: "i32" },
});
const cold = lateFunctions({
  syscall: { parameters: ["i32", "i32", "u32", "buffer", "u32"], result: "i32" },
});
const creation = lateFunctions({
  syscall: { parameters: ["i32", "u32", "buffer"], result: "i32" },
});

const SYS_IO_URING_SETUP = 425;
const SYS_IO_URING_ENTER = 426;
const SYS_IO_URING_REGISTER = 427;

const SETUP_SQE128 = 1 << 10;
const SETUP_SUBMIT_ALL = 1 << 7;
const SETUP_TASKRUN_FLAG = 1 << 9;
const SETUP_SINGLE_ISSUER = 1 << 12;
const SETUP_DEFER_TASKRUN = 1 << 13;
const FEATURE_SINGLE_MMAP = 1 << 0;
const FEATURE_NODROP = 1 << 1;
const ENTER_GETEVENTS = 1 << 0;
const SQ_TASKRUN = 1 << 2;
const CQ_EVENTFD_DISABLED = 1 << 0;
const REGISTER_EVENTFD = 4;
const REGISTER_PROBE = 8;
const OFFSET_RINGS = 0;
const OFFSET_ENTRIES = 0x10000000;
const EINVAL = 22;
const ENOSYS = 38;

const PARAMETERS_BYTES = 120;
const ENTRY_BYTES = 64;
const WIDE_ENTRY_BYTES = 128;
/** Where the command of a UringCmd begins in its entry, in words. */
const COMMAND_WORD = 12;
const COMPLETION_WORDS = 4;
const PROBE_HEADER_BYTES = 16;
const PROBE_ENTRY_BYTES = 8;
const PROBE_ENTRIES = 256;
const HIGH = 4294967296;

/** Operations (uapi/linux/io_uring.h). */
export const Uring = {
  Fsync: 3,
  Fallocate: 17,
  Read: 22,
  Write: 23,
  Fadvise: 24,
  UringCmd: 46,
} as const;

/** Flag of `fsync`: fdatasync. */
export const FSYNC_DATASYNC = 1;

/** _IO(0x12, 0), a discard on a block device (uapi/linux/blkdev.h, Linux 6.12). */
const BLOCK_URING_CMD_DISCARD = 0x1200;

/**
 * A ring. Operations are filled in with the methods named after them and handed over by `submit`;
 * what is finished is looked at with `result` and `tag` between `collect` and `consume`.
 */
export class IoUring {
  /** Operations that may be filled in but not submitted, and under way at a time. */
  readonly entries: number;

  readonly #fd: number;
  readonly #entryWords: number;
  readonly #rings: Mapping;
  readonly #entriesMapping: Mapping;
  readonly #words: Int32Array;
  readonly #unsigned: Uint32Array;
  readonly #deferred: boolean;
  readonly #submission: RingOffsets;
  readonly #completion: RingOffsets;
  /** First word of the first completion. */
  readonly #completions: number;
  /** The word of flags of the completion ring, which the kernel only reads. */
  readonly #completionFlags: number;
  #tail: number;
  #head: number;
  #queued = 0;

  /**
   * Throws SystemError: ENOSYS or EPERM where there is no io_uring, ENOMEM. `entries`: power of two.
   * `wide`: with room for commands of 80 bytes.
   */
  constructor(entries: number, wide = false) {
    const parameters = new Uint32Array(PARAMETERS_BYTES / 4);
    const entryBytes = wide ? WIDE_ENTRY_BYTES : ENTRY_BYTES;
    const size = wide ? SETUP_SQE128 : 0;
    this.#entryWords = entryBytes / 4;
    // Completion work waits until it is asked for, instead of interrupting whatever else runs.
    let flags = SETUP_SUBMIT_ALL | SETUP_SINGLE_ISSUER | SETUP_DEFER_TASKRUN | SETUP_TASKRUN_FLAG;
    let fd = setup(entries, flags | size, parameters);
    if (fd < 0 && lastErrno() === EINVAL) fd = setup(entries, (flags = 0) | size, parameters);
    this.#fd = check(fd, "set up an io_uring");
    this.#deferred = (flags & SETUP_DEFER_TASKRUN) !== 0;
    this.entries = parameters[0]!;
    const features = parameters[5]!;
    if ((features & FEATURE_SINGLE_MMAP) === 0 || (features & FEATURE_NODROP) === 0) {
      closeDescriptor(fd);
      throw new SystemError("use an io_uring of this old kernel", ENOSYS);
    }
    this.#submission = ringOffsets(parameters, 10);
    this.#completion = ringOffsets(parameters, 20);
    // sq_off.array and cq_off.cqes.
    const array = parameters[16]!;
    const ringBytes = Math.max(
      array + this.entries * 4,
      parameters[25]! + parameters[1]! * COMPLETION_WORDS * 4,
    );
    this.#rings = mapShared(fd, OFFSET_RINGS, ringBytes);
    this.#entriesMapping = mapShared(fd, OFFSET_ENTRIES, this.entries * entryBytes);
    this.#words = new Int32Array(this.#rings.bytes.buffer, 0, ringBytes >>> 2);
    this.#unsigned = new Uint32Array(this.#entriesMapping.bytes.buffer);
    for (let i = 0; i < this.entries; i++) this.#words[(array >>> 2) + i] = i;
    this.#tail = this.#words[this.#submission.tail]!;
    this.#head = this.#words[this.#completion.head]!;
    this.#completions = parameters[25]! >>> 2;
    this.#completionFlags = parameters[26]! >>> 2;
  }

  /** Whether the kernel knows `operation` (Uring). */
  supports(operation: number): boolean {
    const probe = new Uint8Array(PROBE_HEADER_BYTES + PROBE_ENTRIES * PROBE_ENTRY_BYTES);
    if (this.#register(REGISTER_PROBE, probe, PROBE_ENTRIES) < 0) return false;
    const at = PROBE_HEADER_BYTES + operation * PROBE_ENTRY_BYTES;
    return operation <= probe[0]! && (probe[at + 2]! & 1) !== 0;
  }

  /** Has `eventFd` become readable whenever something is finished. */
  registerEvent(eventFd: number): void {
    const fds = new Uint8Array(new Int32Array([eventFd]).buffer);
    check(this.#register(REGISTER_EVENTFD, fds, 1), "register an eventfd with an io_uring");
  }

  /** Has the event stay as it is (Linux 5.8), which saves the kernel work while the ring is looked at. */
  muteEvent(): void {
    Atomics.store(this.#words, this.#completionFlags, CQ_EVENTFD_DISABLED);
  }

  /** Has the event be signalled again. What was finished before is only seen by `ready`. */
  unmuteEvent(): void {
    Atomics.store(this.#words, this.#completionFlags, 0);
  }

  /** Operations that are filled in but not submitted. */
  get queued(): number {
    return this.#queued;
  }

  /** read(2) at an offset; `flags`: Rwf. */
  read(
    tag: number,
    fd: number,
    address: number,
    length: number,
    offsetHigh: number,
    offsetLow: number,
    flags: number,
  ): void {
    const at = this.#begin(Uring.Read, tag, fd, offsetHigh, offsetLow);
    this.#transfer(at, address, length, flags);
  }

  /** write(2) at an offset; `flags`: Rwf. */
  write(
    tag: number,
    fd: number,
    address: number,
    length: number,
    offsetHigh: number,
    offsetLow: number,
    flags: number,
  ): void {
    const at = this.#begin(Uring.Write, tag, fd, offsetHigh, offsetLow);
    this.#transfer(at, address, length, flags);
  }

  /** fsync(2) of `length` bytes at an offset; 0 at 0 is all. `flags`: 0 or FSYNC_DATASYNC. */
  fsync(
    tag: number,
    fd: number,
    offsetHigh: number,
    offsetLow: number,
    length: number,
    flags: number,
  ): void {
    const at = this.#begin(Uring.Fsync, tag, fd, offsetHigh, offsetLow);
    this.#transfer(at, 0, length, flags);
  }

  /** fallocate(2); `mode`: Falloc. */
  fallocate(
    tag: number,
    fd: number,
    mode: number,
    offsetHigh: number,
    offsetLow: number,
    lengthHigh: number,
    lengthLow: number,
  ): void {
    const at = this.#begin(Uring.Fallocate, tag, fd, offsetHigh, offsetLow);
    this.#unsigned[at + 4] = lengthLow;
    this.#unsigned[at + 5] = lengthHigh;
    this.#unsigned[at + 6] = mode;
  }

  /** posix_fadvise(3) on up to 2^32-1 bytes. */
  fadvise(
    tag: number,
    fd: number,
    offsetHigh: number,
    offsetLow: number,
    length: number,
    advice: number,
  ): void {
    this.#transfer(
      this.#begin(Uring.Fadvise, tag, fd, offsetHigh, offsetLow),
      0,
      length,
      advice,
    );
  }

  /** A discard on a block device (Linux 6.12). */
  discard(
    tag: number,
    fd: number,
    offsetHigh: number,
    offsetLow: number,
    lengthHigh: number,
    lengthLow: number,
  ): void {
    const at = this.#begin(Uring.UringCmd, tag, fd, 0, BLOCK_URING_CMD_DISCARD);
    this.#unsigned[at + 4] = offsetLow;
    this.#unsigned[at + 5] = offsetHigh;
    this.#unsigned[at + 12] = lengthLow;
    this.#unsigned[at + 13] = lengthHigh;
  }

  /** A command of 16 bytes for the driver behind `fd`, as four words. */
  command(
    tag: number,
    fd: number,
    operation: number,
    word0: number,
    word1: number,
    word2: number,
    word3: number,
  ): void {
    const at = this.#begin(Uring.UringCmd, tag, fd, 0, operation) + COMMAND_WORD;
    const words = this.#unsigned;
    words[at] = word0;
    words[at + 1] = word1;
    words[at + 2] = word2;
    words[at + 3] = word3;
  }

  /** A command of up to 80 bytes, in a ring that is wide. */
  wideCommand(tag: number, fd: number, operation: number, command: Uint32Array): void {
    const at = this.#begin(Uring.UringCmd, tag, fd, 0, operation) + COMMAND_WORD;
    this.#unsigned.set(command, at);
  }

  /** Hands over what is filled in and brings in what is finished, in one call. As `submit`. */
  exchange(): number {
    Atomics.store(this.#words, this.#submission.tail, this.#tail);
    const count = symbols.syscall(
      SYS_IO_URING_ENTER,
      this.#fd,
      this.#queued,
      0,
      ENTER_GETEVENTS,
      null,
      0,
    );
    if (count < 0) return -lastErrno();
    this.#queued -= count;
    return 0;
  }

  /** Whether `collect` would find something. Costs no system call. */
  get ready(): boolean {
    return this.#deferred && this.#pendingWork() ||
      Atomics.load(this.#words, this.#completion.tail) !== this.#head;
  }

  /** Hands over what is filled in. Returns 0, or the negative errno when some of it is left (EAGAIN). */
  submit(): number {
    if (this.#queued === 0) return 0;
    Atomics.store(this.#words, this.#submission.tail, this.#tail);
    const count = symbols.syscall(SYS_IO_URING_ENTER, this.#fd, this.#queued, 0, 0, null, 0);
    if (count < 0) return -lastErrno();
    this.#queued -= count;
    return 0;
  }

  /** Brings in what is finished. Returns how many completions there are to look at. */
  collect(): number {
    if (this.#deferred && this.#pendingWork()) {
      symbols.syscall(SYS_IO_URING_ENTER, this.#fd, 0, 0, ENTER_GETEVENTS, null, 0);
    }
    return Atomics.load(this.#words, this.#completion.tail) - this.#head | 0;
  }

  /** The tag of completion `index`. */
  tag(index: number): number {
    return this.#words[this.#completionAt(index)]!;
  }

  /** What completion `index` returned: as the system call, or the negative errno. */
  result(index: number): number {
    return this.#words[this.#completionAt(index) + 2]!;
  }

  /** Lets the kernel use the places of the first `count` completions again. */
  consume(count: number): void {
    this.#head = this.#head + count | 0;
    Atomics.store(this.#words, this.#completion.head, this.#head);
  }

  /** Gives the ring back. Nothing may be under way. */
  close(): void {
    unmap(this.#entriesMapping);
    unmap(this.#rings);
    closeDescriptor(this.#fd);
  }

  #pendingWork(): boolean {
    return (Atomics.load(this.#words, this.#submission.flags) & SQ_TASKRUN) !== 0;
  }

  #completionAt(index: number): number {
    const mask = this.#words[this.#completion.mask]!;
    return this.#completions + (this.#head + index & mask) * COMPLETION_WORDS;
  }

  /** Takes the next place and returns its first word. There must be one: `queued` < `entries`. */
  #begin(
    operation: number,
    tag: number,
    fd: number,
    offsetHigh: number,
    offsetLow: number,
  ): number {
    const at = (this.#tail & this.entries - 1) * this.#entryWords;
    const words = this.#unsigned;
    // A call of fill() costs more than that.
    for (let i = at + this.#entryWords - 1; i > at; i--) words[i] = 0;
    words[at] = operation;
    words[at + 1] = fd;
    words[at + 2] = offsetLow;
    words[at + 3] = offsetHigh;
    words[at + 8] = tag;
    this.#tail = this.#tail + 1 | 0;
    this.#queued++;
    return at;
  }

  #transfer(at: number, address: number, length: number, flags: number): void {
    const words = this.#unsigned;
    words[at + 4] = address;
    words[at + 5] = address / HIGH;
    words[at + 6] = length;
    words[at + 7] = flags;
  }

  #register(what: number, argument: Uint8Array<ArrayBuffer>, count: number): number {
    return cold.syscall(SYS_IO_URING_REGISTER, this.#fd, what, argument, count);
  }
}

/** Positions of ring fields, in 32-bit words. */
interface RingOffsets {
  head: number;
  tail: number;
  mask: number;
  /** Of the submission ring. */
  flags: number;
}

function setup(entries: number, flags: number, parameters: Uint32Array<ArrayBuffer>): number {
  parameters.fill(0);
  parameters[2] = flags;
  return creation.syscall(SYS_IO_URING_SETUP, entries, new Uint8Array(parameters.buffer));
}

/** Reads sq_off or cq_off of struct io_uring_params, which begin with the same fields. */
function ringOffsets(parameters: Uint32Array, at: number): RingOffsets {
  return {
    head: parameters[at]! >>> 2,
    tail: parameters[at + 1]! >>> 2,
    mask: parameters[at + 2]! >>> 2,
    flags: parameters[at + 4]! >>> 2,
  };
}
