// SPDX-License-Identifier: MIT
// Flushing a device: what the page cache holds of it is written out, and the device flushed.

import { isAttached } from "../../core/kernel/attach.ts";
import { parseDevice } from "../../core/kernel/names.ts";
import { flushBlockDevice } from "../../native/block_device.ts";
import { tellIfSlow } from "./slow.ts";

/** Flushes a device; the exit status. Throws Error with one sentence. */
export async function runFlush(text: string): Promise<number> {
  const device = parseDevice(text);
  if (!isAttached(device)) throw new Error(`cannot flush ${device.path}: it is not attached`);
  await tellIfSlow(flushBlockDevice(device.path), `${device.path} to write everything out`);
  return 0;
}
