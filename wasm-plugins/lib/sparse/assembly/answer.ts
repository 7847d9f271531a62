// SPDX-License-Identifier: MIT
// Answers requests with what is stored.

import { DataFlag, replyData, replyZero, ZeroFlag } from "../../../sdk/assemblyscript/assembly";
import { runLength, runPointer, scan } from "./store";

/** Answers a read: bytes where they lie, and holes for what is absent. Returns 0. */
export function answerRead(request: i32, count: u64, offset: u64): i32 {
  const end = offset + count;
  for (let at = offset; at < end; at += runLength) {
    scan(at, end);
    if (runPointer) replyData(request, at - offset, runPointer, runLength, DataFlag.Stable);
    else replyZero(request, at - offset, runLength, ZeroFlag.Hole);
  }
  return 0;
}
