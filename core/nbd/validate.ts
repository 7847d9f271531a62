// SPDX-License-Identifier: MIT
// The one check of a request before anything acts on it, in a fixed order, choosing the errno (the
// table is in docs/protocol.md).

import type { Request } from "../block/request.ts";
import type { Session } from "./session.ts";
import type { Replies } from "./wire.ts";

/**
 * What `validateRequest` returns besides 0 (submit it) and a positive errno (refuse it): the
 * request is valid and its answer is known, so `frameReply(request, 0, ...)` without submitting it.
 */
export const ANSWERED = -1;

/**
 * Checks a request that was decoded and whose payload, if any, need not have arrived. Returns 0,
 * ANSWERED or a positive errno, with `request.errorText` set. Takes away flags that mean nothing to
 * a device; a read across the end of the export is shortened and the rest noted in `request.tail`.
 */
export function validateRequest(_request: Request, _session: Session): number {
  throw new Error("to come");
}

/**
 * Second half of the check of a block status request with a payload (`payloadLength` > 0 and
 * `validateRequest` returned 0): takes effect length and selected contexts from the payload at
 * `at`. Returns as `validateRequest` does.
 */
export function applyStatusPayload(
  _view: DataView,
  _at: number,
  _length: number,
  _request: Request,
  _session: Session,
): number {
  throw new Error("to come");
}

/** Per command: the flags that a request may carry, -1 where the command is not offered. */
export function permittedFlags(_flags: number, _contexts: boolean, _replies: Replies): Int32Array {
  throw new Error("to come");
}
