// SPDX-License-Identifier: MIT
// A request to the device under check, in words, and what came of it.

/** A request. Offset and length are in the export. */
export interface Operation {
  /** One of Command (core/block/request.ts) or ZoneCommand (core/block/zones.ts). */
  command: number;
  offset?: bigint;
  length?: number;
  /** Of RequestFlag. */
  flags?: number;
  /** What a write or append writes, or the argument of an ioctl; its length is the request's. */
  bytes?: Uint8Array;
  /** Number of an ioctl. */
  ioctl?: number;
}

/** A piece of data that an answer has, where it lies in this process. */
export interface DataPiece {
  at: number;
  length: number;
  address: number;
}

/** What came of a request. */
export interface Outcome {
  /** 0, or why it failed. */
  errno: number;
  /** What the plugin or the host says about that. */
  text: string;
  /** What was read; zeroes where a part of it failed. */
  bytes: Uint8Array<ArrayBuffer>;
  /** Parts of a read that failed. */
  failed: { at: number; length: number; errno: number }[];
  /** Where the data of a read lies; only looked at while the answer is held. */
  data: DataPiece[];
  extents: { length: bigint; flags: number }[];
  /** What a report tells, in the order of the zones; `written`: the write pointer, from the start of the zone. */
  zones: { capacity: number; written: number; type: number; condition: number }[];
  /** Where an append has written; -1 for other requests. */
  place: number;
}
