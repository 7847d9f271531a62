// SPDX-License-Identifier: MIT
// Block size constraints (proto.md "Size constraints") as they are advertised.

import { BLOCK_SIZE_DEFAULT, type ExportInfo } from "../block/export.ts";
import { PAYLOAD_MAX } from "./limits.ts";

/** Largest payload in bytes that reads and writes of the export may have, as advertised. */
export function payloadMaximum(info: ExportInfo): number {
  return Math.min(info.blockSize.maximum, PAYLOAD_MAX);
}

/**
 * Whether a client that knows nothing of block sizes can use the export: any alignment, and the
 * payloads that such clients may send. The preferred size is advice and does not matter.
 */
export function hasDefaultBlockSize(info: ExportInfo): boolean {
  return info.blockSize.minimum === BLOCK_SIZE_DEFAULT.minimum &&
    payloadMaximum(info) >= BLOCK_SIZE_DEFAULT.maximum;
}
