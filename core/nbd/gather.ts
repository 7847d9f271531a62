// SPDX-License-Identifier: MIT
// Where framed replies go: an ordered list of bytes to be sent, some written here, some lying in a
// device's memory, some zero.

/** See the top of this file. Everything is appended in order. */
export interface Gather {
  /**
   * Appends `length` contiguous bytes, at most HEADER_LENGTH_MAX (limits.ts), and returns where in
   * `headerView` they are to be written, at once. Read `headerView` after this call: making room
   * may replace it.
   */
  header(length: number): number;
  readonly headerView: DataView;
  /** Appends `length` > 0 bytes at `address` in this process; `stable` as in Piece.StableData. */
  memory(address: number, length: number, stable: boolean): void;
  /** Appends `length` > 0 zero bytes. */
  zeroes(length: number): void;
  /** Appends a copy of `data`, at most 4096 bytes. */
  bytes(data: Uint8Array): void;
}
