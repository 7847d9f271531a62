// SPDX-License-Identifier: MIT
// Another size for a device that is in use: no more than what serves it has now.

import type { Server } from "../../core/control/options.ts";
import { askAdmin } from "../../core/kernel/admin.ts";
import { type FrontEnd, sizeInBlocks } from "../../core/kernel/front.ts";
import { parseDevice } from "../../core/kernel/names.ts";
import { socketPath } from "../../core/kernel/state.ts";
import { print } from "../output.ts";
import { exactSize } from "../values.ts";

/** Asks the process of a device for another size; without one, for what the export has now. */
export async function runResize(text: string, size: string | undefined): Promise<number> {
  const device = parseDevice(text);
  const wanted = size === undefined ? null : `${exactSize("SIZE", size)}`;
  const answer = await askAdmin(socketPath(device.name), { command: "resize", size: wanted });
  if (answer === null) {
    throw new Error(
      `cannot resize ${device.path}: no process of sandblock serves it; see "sandblock list"`,
    );
  }
  print(`${answer["size"]}\n`);
  return 0;
}

/** Gives a front end the size `wanted` (decimal), or all that its export has. Rejects. */
export async function resizeFront(
  front: FrontEnd,
  server: Server,
  exportName: string,
  wanted: unknown,
): Promise<void> {
  const { facts, device, keepsSize } = front;
  if (keepsSize !== null) throw new Error(`cannot resize ${device.path}: ${keepsSize}`);
  const has = sizeInBlocks(await server.describe(exportName), facts.blockSize);
  const size = typeof wanted === "string" ? BigInt(wanted) : has;
  if (size > has) {
    throw new Error(
      `cannot resize ${device.path} to ${size} bytes: what serves it has ${has}; enlarge that first`,
    );
  }
  if (size <= 0n || size % BigInt(facts.blockSize) !== 0n) {
    throw new Error(
      `cannot resize ${device.path} to ${size} bytes: a size is a multiple of ${facts.blockSize}`,
    );
  }
  // Nothing beyond the old end is asked for before the kernel knows of it.
  await server.reopen(exportName);
  await front.resize(size);
  facts.size = size;
}
