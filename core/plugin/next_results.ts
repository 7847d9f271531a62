// SPDX-License-Identifier: MIT
// Puts the results of a filter's own requests into its memory.

import { Errno } from "../block/errno.ts";
import { copyFrom } from "../block/memory.ts";
import { Piece } from "../block/request.ts";
import type { PluginMemory } from "./memory.ts";
import type { Part } from "./part.ts";

/** Bytes of the head of a list of extents: capacity and count. */
const HEAD_BYTES = 8;
/** Bytes of an extent: length, flags, nothing. */
const EXTENT_BYTES = 16;

/**
 * Brings what a read was answered with to `part.pointer`, unless it lies there already. Returns 0 or
 * the errno of the first piece that failed.
 */
export function copyPieces(part: Part, memory: PluginMemory): number {
  const fault = part.readFault();
  if (fault !== "") {
    part.errorText = `the answer ${fault}`;
    return Errno.EIO;
  }
  let errno = 0;
  // Room is taken from the front on, so pieces only ever have to move towards the end. The last one
  // goes first, and so none is overwritten.
  for (let index = part.pieceCount - 1; index >= 0; index--) {
    const kind = part.pieceKind(index);
    const to = part.pointer + part.pieceAt(index);
    const length = part.pieceLength(index);
    const value = part.pieceValue(index);
    if (kind === Piece.Error) errno = value;
    else if (kind === Piece.Zero || kind === Piece.Hole) memory.bytes.fill(0, to, to + length);
    else move(value, to, length, memory);
  }
  return errno;
}

function move(address: number, to: number, length: number, memory: PluginMemory): void {
  const pointer = address - memory.address;
  if (pointer === to) return;
  if (memory.contains(pointer, length)) memory.bytes.copyWithin(to, pointer, pointer + length);
  else copyFrom(address, memory.bytes.subarray(to, to + length));
}

/** Writes the extents as the list at `part.pointer`, as many as its capacity says. */
export function writeExtents(part: Part, memory: PluginMemory): void {
  const { view } = memory;
  const capacity = view.getUint32(part.pointer, true);
  const room = Math.floor((memory.bytes.length - part.pointer - HEAD_BYTES) / EXTENT_BYTES);
  const count = Math.min(part.pieceCount, capacity, room);
  view.setUint32(part.pointer + 4, count, true);
  for (let index = 0; index < count; index++) {
    const at = part.pointer + HEAD_BYTES + index * EXTENT_BYTES;
    view.setUint32(at, part.pieceLength(index), true);
    view.setUint32(at + 4, part.pieceAt(index), true);
    view.setUint32(at + 8, part.extentFlags(index), true);
    view.setUint32(at + 12, 0, true);
  }
}
