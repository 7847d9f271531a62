// SPDX-License-Identifier: MIT
// The extents of a block status answer, brought into the form that the protocol asks for: within
// the request, neighbours different, lengths a multiple of the minimum block size.

import { ExtentFlag, Piece, PIECES_MAX, type Request } from "../block/request.ts";
import { LIE, lie } from "./pieces.ts";

const HIGH = 4294967296;
const FLAGS_KNOWN = ExtentFlag.Hole | ExtentFlag.Zero;
const WIDTH = 3;

/** Each piece can end a block that several share and begin a run of its own. */
export const EXTENTS_MAX = 2 * PIECES_MAX + 1;

/** Extents that `collectExtents` found: high half of the length, low half, flags. */
export interface Extents {
  readonly numbers: Uint32Array;
  count: number;
}

/** Where one answer at a time is worked out. Each thread has its own. */
const extents: Extents = { numbers: new Uint32Array(EXTENTS_MAX * WIDTH), count: 0 };

/** What a block has so far that no single extent covers: its bytes, and the flags all agree on. */
let partialLength = 0;
let partialFlags = 0;

/**
 * The extents of an answered block status request, at most `max` of them; valid until the next call.
 * LIE, with `request.errorText` set, where the pieces are no valid answer. `alignmentMask` is the
 * minimum block size - 1.
 */
export function collectExtents(
  request: Request,
  alignmentMask: number,
  max: number,
): Extents | typeof LIE {
  extents.count = 0;
  partialLength = 0;
  let leftHigh = request.lengthHigh;
  let leftLow = request.lengthLow;
  for (let index = 0; index < request.pieceCount; index++) {
    if (!checkExtent(request, index)) return LIE;
    if ((leftHigh | leftLow) === 0 || extents.count > max) continue;
    let high = request.pieceAt(index);
    let low = request.pieceLength(index);
    if (high > leftHigh || (high === leftHigh && low > leftLow)) {
      high = leftHigh;
      low = leftLow;
    }
    leftHigh -= high;
    leftLow -= low;
    if (leftLow < 0) {
      leftLow += HIGH;
      leftHigh -= 1;
    }
    addAligned(high, low, request.pieceValue(index), alignmentMask);
  }
  // Nothing is known of the rest of the last block, and 0 is always true.
  if (partialLength > 0) add(0, alignmentMask + 1, 0);
  if (extents.count === 0) return lie(request, "there are no extents");
  extents.count = Math.min(extents.count, max);
  return extents;
}

function checkExtent(request: Request, index: number): boolean {
  const high = request.pieceAt(index);
  const low = request.pieceLength(index);
  const flags = request.pieceValue(index);
  if (request.pieceKind(index) !== Piece.Extent) {
    return lie(request, `piece ${index} is not an extent`) !== LIE;
  }
  if (!isHalf(high) || !isHalf(low) || high + low === 0) {
    return lie(request, `extent ${index} has length ${high * HIGH + low}`) !== LIE;
  }
  if (!isHalf(flags) || (flags & ~FLAGS_KNOWN) !== 0) {
    return lie(request, `extent ${index} has flags ${flags}`) !== LIE;
  }
  return true;
}

function isHalf(value: number): boolean {
  return value >= 0 && value < HIGH && Number.isInteger(value);
}

/** Adds an extent, giving a block that several extents share what is true of all of them. */
function addAligned(high: number, low: number, flags: number, mask: number): void {
  if (partialLength > 0) {
    const missing = mask + 1 - partialLength;
    partialFlags &= flags;
    if (high === 0 && low < missing) {
      partialLength += low;
      return;
    }
    add(0, mask + 1, partialFlags);
    low -= missing;
    if (low < 0) {
      low += HIGH;
      high -= 1;
    }
  }
  partialLength = low & mask;
  partialFlags = flags;
  add(high, low - partialLength, flags);
}

/** Appends an extent, or lengthens the last one where it has the same flags. */
function add(high: number, low: number, flags: number): void {
  if (high + low === 0) return;
  const { numbers, count } = extents;
  const last = (count - 1) * WIDTH;
  if (count === 0 || numbers[last + 2] !== flags) {
    numbers[last + WIDTH] = high;
    numbers[last + WIDTH + 1] = low;
    numbers[last + WIDTH + 2] = flags;
    extents.count++;
    return;
  }
  const sum = numbers[last + 1]! + low;
  numbers[last + 1] = sum;
  numbers[last] = numbers[last]! + high + (sum < HIGH ? 0 : 1);
}
