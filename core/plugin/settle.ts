// SPDX-License-Identifier: MIT
// Copies of stable data in answers that are not complete yet: a plugin may make something else of that
// memory when a range is trimmed or zeroed (ABI, "Answers").

import { copyFrom } from "../block/memory.ts";
import { Piece, type Request } from "../block/request.ts";

/**
 * Copies the stable data among the pieces of `answer` to room of `owner`, the request that they answer or
 * are to become part of the answer to. False when there is no memory.
 */
export function settleData(answer: Request, owner: Request): boolean {
  for (let index = 0; index < answer.pieceCount; index++) {
    if (answer.pieceKind(index) !== Piece.StableData) continue;
    const length = answer.pieceLength(index);
    const address = owner.space.take(owner, length);
    if (address === 0) return false;
    const { memory } = owner.space;
    const to = address - memory.address;
    copyFrom(answer.pieceValue(index), memory.bytes.subarray(to, to + length));
    answer.replaceData(index, address);
  }
  return true;
}
