// SPDX-License-Identifier: MIT
// One request to a block device and the answer to it, in one reusable object. A request is filled
// in by the protocol, checked once, submitted to an export, and answered by it in pieces.

import type { PayloadMemory } from "./memory.ts";
import { ZoneCommand } from "./zones.ts";

/**
 * What a request asks for. The numbers up to 7 are NBD's (proto.md, "Request types"); those from 24 on are
 * requests that NBD does not have and only kernels make, and so are those between, which are in zones.ts.
 */
export const Command = {
  Read: 0,
  Write: 1,
  Disconnect: 2,
  Flush: 3,
  Trim: 4,
  Cache: 5,
  WriteZeroes: 6,
  BlockStatus: 7,
  /** As Trim, but no copy of what was there may be left anywhere. */
  SecureErase: 24,
  /** A request of the device's own kind, by its number. */
  Ioctl: 25,
} as const;

/** One more than the largest command. */
export const COMMANDS_END = 26;

/** Whether a command may have a device make something else of memory that answers lie in. */
export function clears(command: number): boolean {
  // Reads, writes and flushes are known by one comparison.
  if (command < Command.Trim) return false;
  // Of what is about zones, only a reset does.
  if (command >= ZoneCommand.Report && command < ZoneCommand.Reset) return false;
  return command !== Command.Cache && command !== Command.BlockStatus;
}

/** Flags of a request, as the device sees them. The numbers are NBD's command flags. */
export const RequestFlag = {
  /** Must be on stable storage before the answer. */
  Fua: 0x1,
  /** WriteZeroes: must not punch a hole. */
  NoHole: 0x2,
  /** Read: one content chunk only (a matter of the protocol; devices ignore it). */
  Df: 0x4,
  /** BlockStatus: one extent is enough. */
  ReqOne: 0x8,
  /** WriteZeroes: fail with EOPNOTSUPP rather than be slow. */
  FastZero: 0x10,
  /** Extended header: `length` is the length of a payload. */
  PayloadLength: 0x20,
} as const;

/** What `OpenExport.submit` returns besides a positive errno. */
export const Status = {
  /** The request is answered. */
  Done: 0,
  /** The device calls `request.sink.completed(request, errno)` later, from `Device.reap`. */
  Pending: -1,
} as const;

/** Kinds of answer pieces. */
export const Piece = {
  /** Bytes in memory that nobody will change until the answer is sent. */
  Data: 0,
  /** Bytes that stay as they are only until the next request that changes the device. */
  StableData: 1,
  /** Zeroes without a statement about allocation. */
  Zero: 2,
  /** A hole: zeroes that take no space. */
  Hole: 3,
  /** This part of a read failed; the `value` of the piece is the errno. */
  Error: 4,
  /** An extent of a block status; `value` is its status flags (ExtentFlag). */
  Extent: 5,
  /** A zone of a report; zones follow on one another. */
  Zone: 6,
  /** Where an append has written; `value` is the offset in the export. */
  Place: 7,
} as const;

/** Status flags of an extent, as base:allocation defines them. */
export const ExtentFlag = { Hole: 0x1, Zero: 0x2 } as const;

/** Pieces that one request may be answered in. */
export const PIECES_MAX = 65536;

const PIECES_INITIAL = 8;
/** Numbers that a piece takes in `pieces`: kind, at or length high, length, value. */
const PIECE_WIDTH = 4;

/** Who is told when a pending request is finished. */
export interface RequestSink {
  /** `errno` is 0 or positive; `request.errorText` may say more. */
  completed(request: Request, errno: number): void;
}

/** Lends memory to put an answer in. It stays lent until the answer is sent. */
export interface ReplySpace {
  /** What `take` lends parts of. */
  readonly memory: PayloadMemory;
  /** Address of `length` bytes at a multiple of `Device.bufferAlignment`; 0 when there is no memory. */
  take(request: Request, length: number): number;
}

/** See the top of this file. */
export class Request {
  command = 0;
  flags = 0;
  cookieHigh = 0;
  cookieLow = 0;
  offsetHigh = 0;
  offsetLow = 0;
  lengthHigh = 0;
  lengthLow = 0;
  /**
   * Read: bytes past the end of the export that were asked for too and are no part of `length`; the
   * protocol fails them. Devices ignore it.
   */
  tail = 0;
  /** BlockStatus: which metadata contexts to report, bit by bit. Devices ignore it. */
  contexts = 0;
  /**
   * Write: address of the payload in this process. Ioctl: of the argument, `length` bytes, which the answer
   * takes the place of.
   */
  payload = 0;
  /** Ioctl: its number, as Linux encodes it. */
  ioctl = 0;
  /** Why it failed, for the client; set by the device together with an errno. */
  errorText = "";
  /** The client's request that this is part of, or this one itself. */
  root: Request = this;
  /** Set by the reactor; told when a pending request is finished. */
  sink!: RequestSink;
  /** Set by the reactor; where the device finds room for the data of its answer. */
  space!: ReplySpace;
  /** Free for the device while the request is pending (a slot number, say). */
  token = 0;
  /** Pieces of the answer so far. */
  pieceCount = 0;

  #pieces = new Float64Array(PIECES_INITIAL * PIECE_WIDTH);

  /** Offset in bytes as a number: exact below 2^53. */
  get offset(): number {
    return this.offsetHigh * 4294967296 + this.offsetLow;
  }

  /** Length in bytes as a number: exact below 2^53. */
  get length(): number {
    return this.lengthHigh * 4294967296 + this.lengthLow;
  }

  /** Forgets the answer, so that the object can serve another request. */
  clear(): void {
    this.pieceCount = 0;
    this.errorText = "";
  }

  /**
   * Answers `length` bytes at `at` (relative to the request) with the bytes at `address` in this
   * process, so that one answer may lie in the memories of several devices. Pieces of a read come in
   * ascending order, do not overlap and cover the request.
   */
  data(at: number, address: number, length: number, stable: boolean): void {
    this.#add(stable ? Piece.StableData : Piece.Data, at, length, address);
  }

  /** Answers `length` bytes at `at` with zeroes. */
  zero(at: number, length: number, hole: boolean): void {
    this.#add(hole ? Piece.Hole : Piece.Zero, at, length, 0);
  }

  /** Fails `length` bytes at `at` of a read with `errno`. */
  fail(at: number, length: number, errno: number): void {
    this.#add(Piece.Error, at, length, errno);
  }

  /** Adds an extent of a block status; the first begins at the offset of the request. */
  extent(lengthHigh: number, lengthLow: number, flags: number): void {
    this.#add(Piece.Extent, lengthHigh, lengthLow, flags);
  }

  /** Adds a zone to a report. `pointer`: where it is written next, in the zone; `state`: see zones.ts. */
  zone(capacity: number, pointer: number, state: number): void {
    this.#add(Piece.Zone, capacity, pointer, state);
  }

  /** Says where an append has written. */
  appended(offset: number): void {
    this.#add(Piece.Place, 0, 0, offset);
  }

  pieceKind(index: number): number {
    return this.#pieces[index * PIECE_WIDTH]!;
  }

  /** Offset of the piece relative to the request (read), upper half of its length (extent), or capacity (zone). */
  pieceAt(index: number): number {
    return this.#pieces[index * PIECE_WIDTH + 1]!;
  }

  /** Length of the piece in bytes (read), lower half of it (extent), or write pointer (zone). */
  pieceLength(index: number): number {
    return this.#pieces[index * PIECE_WIDTH + 2]!;
  }

  /** Address (data), errno (error), status flags (extent), state (zone) or offset (place). */
  pieceValue(index: number): number {
    return this.#pieces[index * PIECE_WIDTH + 3]!;
  }

  /** Makes the data of a piece lie at `address`, where it stays until the answer is sent. */
  replaceData(index: number, address: number): void {
    this.#pieces[index * PIECE_WIDTH] = Piece.Data;
    this.#pieces[index * PIECE_WIDTH + 3] = address;
  }

  #add(kind: number, at: number, length: number, value: number): void {
    const from = this.pieceCount * PIECE_WIDTH;
    if (from === this.#pieces.length) this.#grow();
    const pieces = this.#pieces;
    pieces[from] = kind;
    pieces[from + 1] = at;
    pieces[from + 2] = length;
    pieces[from + 3] = value;
    this.pieceCount++;
  }

  #grow(): void {
    if (this.pieceCount >= PIECES_MAX) throw new RangeError("Too many pieces in an answer");
    const larger = new Float64Array(this.#pieces.length * 2);
    larger.set(this.#pieces);
    this.#pieces = larger;
  }
}
