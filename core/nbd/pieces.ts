// SPDX-License-Identifier: MIT
// What a device may answer a read with, checked once more where the answer is framed: what a device
// says is believed nowhere.

import { ERRNO_MAX } from "../block/errno.ts";
import { Piece, type Request } from "../block/request.ts";

/** What `checkReadPieces` finds in an answer that is valid. */
export const Content = {
  /** One run of data or one run of zeroes. */
  Whole: 0,
  /** Data and zeroes in several runs. */
  Fragmented: 1,
} as const;

/** The answer is no valid one. */
export const LIE = -1;

/** How a piece is sent. */
export const Run = { Data: 0, Zero: 1, Error: 2 } as const;

const runs = [Run.Data, Run.Data, Run.Zero, Run.Zero, Run.Error];

/** How piece `index` is sent; undefined for a piece that does not belong into a read. */
export function runOf(request: Request, index: number): number | undefined {
  return runs[request.pieceKind(index)];
}

/** The number of the first piece that is an error; -1 where there is none. */
export function firstError(request: Request): number {
  for (let index = 0; index < request.pieceCount; index++) {
    if (request.pieceKind(index) === Piece.Error) return index;
  }
  return -1;
}

/**
 * Checks that the pieces of a read follow on one another and make up the request. Returns LIE, with
 * `request.errorText` set, or what they come to.
 */
export function checkReadPieces(request: Request): number {
  const count = request.pieceCount;
  let position = 0;
  let contents = 0;
  let before = -1;
  for (let index = 0; index < count; index++) {
    const run = runOf(request, index);
    const at = request.pieceAt(index);
    const length = request.pieceLength(index);
    if (run === undefined) return lie(request, `piece ${index} is not part of a read`);
    if (at !== position) return lie(request, `piece ${index} begins at ${at}, not ${position}`);
    if (!(length > 0) || length > request.lengthLow - position || !Number.isInteger(length)) {
      return lie(request, `piece ${index} at ${at} has length ${length}`);
    }
    if (run === Run.Error && !validErrno(request.pieceValue(index))) {
      return lie(request, `piece ${index} has errno ${request.pieceValue(index)}`);
    }
    if (run !== Run.Error && run !== before) contents++;
    before = run;
    position += length;
  }
  if (position !== request.lengthLow) {
    return lie(request, `the pieces end at ${position}, not ${request.lengthLow}`);
  }
  return contents > 1 ? Content.Fragmented : Content.Whole;
}

function validErrno(errno: number): boolean {
  return errno >= 1 && errno <= ERRNO_MAX && Number.isInteger(errno);
}

/** Says in `request.errorText` why the answer of the device is no answer. */
export function lie(request: Request, fact: string): typeof LIE {
  request.errorText = `cannot use the answer of the device: ${fact}`;
  return LIE;
}
