// SPDX-License-Identifier: MIT
// Detaching: nothing is lost on the way, and what it waits for is told.

import { askAdmin } from "../../core/kernel/admin.ts";
import { endDevice, isAttached, isHalfMade } from "../../core/kernel/attach.ts";
import { type KernelDevice, parseDevice } from "../../core/kernel/names.ts";
import { readRecord, readRecords, removeRecord, socketPath } from "../../core/kernel/state.ts";
import { holders } from "../../core/kernel/sysfs.ts";
import { flushBlockDevice, isClaimed } from "../../native/block_device.ts";
import { UsageError } from "../errors.ts";
import { printError } from "../output.ts";
import { milliseconds } from "../values.ts";
import { atMost, isAlive, tellIfSlow, until } from "./slow.ts";
import { conditionOf } from "./view.ts";

/** What the command line says. */
export interface DetachValues {
  all?: boolean;
  noFlush?: boolean;
  force?: boolean;
  timeout?: string;
}

interface DetachOptions {
  flush: boolean;
  force: boolean;
  timeoutMs: number | null;
}

/** Detaches one device or all; the exit status. Throws Error with one sentence. */
export async function runDetach(
  values: DetachValues,
  operands: readonly string[],
): Promise<number> {
  const [text] = operands;
  if ((text === undefined) === !values.all) {
    throw new UsageError(
      "cannot detach: name one device, or use --all",
      "sandblock detach --help",
    );
  }
  const options: DetachOptions = {
    flush: !values.noFlush,
    force: values.force ?? false,
    timeoutMs: values.timeout === undefined ? null : milliseconds("--timeout", values.timeout),
  };
  if (text !== undefined) {
    await detach(parseDevice(text), options);
    return 0;
  }
  let failures = 0;
  for (const { name } of readRecords()) {
    try {
      await detach(parseDevice(name), options);
    } catch (error) {
      printError(`sandblock: error: ${(error as Error).message}\n`);
      failures++;
    }
  }
  return failures === 0 ? 0 : 1;
}

async function detach(device: KernelDevice, options: DetachOptions): Promise<void> {
  const record = readRecord(device.name);
  if (record === null) {
    throw new Error(
      `cannot detach ${device.path}: sandblock has not attached it; see "sandblock list"`,
    );
  }
  if (isAttached(device)) {
    // Opening a device that nobody serves may wait for ever.
    const abandoned = await conditionOf(record) === "abandoned";
    if (abandoned && options.flush) throw new Error(unflushable(device));
    // One that does not answer can only be opened when its requests have failed.
    if (!options.force) refuseUsed(device, options.flush);
    if (options.flush) await flush(device, options);
    // Its process would take what is lost from now on for a failure, and mend it.
    await askAdmin(socketPath(device.name), { command: "end" }).catch(() => {});
    const refusal = `cannot detach ${device.path}: it has not ended in time`;
    const ended = endDevice(device).then(() => until(() => !isAlive(record.pid)));
    await atMost(tellIfSlow(ended, `${device.path} to end`), options.timeoutMs, refusal);
  } else if (isHalfMade(device)) {
    await endDevice(device);
  }
  removeRecord(device.name, record.pid);
}

function unflushable({ path }: KernelDevice): string {
  return `cannot flush ${path}: its process has died; use attach --recover ${path}, or --no-flush to ` +
    "give up what was not written";
}

async function flush({ path }: KernelDevice, { timeoutMs }: DetachOptions): Promise<void> {
  const refusal =
    `cannot flush ${path}: it has not written everything in time; use --no-flush to ` +
    "give that up";
  await atMost(
    tellIfSlow(flushBlockDevice(path), `${path} to write everything out; --no-flush gives it up`),
    timeoutMs,
    refusal,
  );
}

/** Throws Error where somebody stands on the device. `open`: it may be opened to find out. */
function refuseUsed({ name, path }: KernelDevice, open: boolean): void {
  const places = mountPoints(name);
  const above = holders(name);
  const users = [
    ...places.map((place) => `mounted on ${place}`),
    ...above.map((holder) => `part of ${holder}`),
  ];
  if (users.length === 0 && open && isClaimed(path)) users.push("in use");
  if (users.length === 0) return;
  throw new Error(
    `cannot detach ${path}: it is ${users.join(" and ")}; --force detaches it anyway`,
  );
}

/** Where file systems of a device or of its partitions are mounted. */
function mountPoints(name: string): string[] {
  const pattern = new RegExp(`^/dev/${name}(p\\d+)?$`);
  return Deno.readTextFileSync("/proc/self/mounts").split("\n").flatMap((line) => {
    const [source = "", place = ""] = line.split(" ");
    return pattern.test(source) ? [place] : [];
  });
}
