// SPDX-License-Identifier: MIT
// What sysfs says about block devices, and their nodes, which may have to be made where no devtmpfs
// is mounted (Documentation/ABI/stable/sysfs-block).

import { makeDeviceNode } from "../../native/block_device.ts";

const SECTOR_BYTES = 512n;

/** A line of sysfs; null where there is no such file. */
export function readSysfs(path: string): string | null {
  try {
    return Deno.readTextFileSync(`/sys/${path}`).trim();
  } catch {
    return null;
  }
}

/** Changes a setting; whether that worked. */
export function writeSysfs(path: string, value: string): boolean {
  try {
    Deno.writeTextFileSync(`/sys/${path}`, value);
    return true;
  } catch {
    return false;
  }
}

/** Names of block devices that start with `prefix` and a digit: nbd0, nbd1. Partitions are left out. */
export function blockDeviceNames(prefix: string): string[] {
  const pattern = new RegExp(`^${prefix}\\d+$`);
  try {
    const names = [...Deno.readDirSync("/sys/block")].map(({ name }) => name);
    return names.filter((name) => pattern.test(name)).sort(byNumber);
  } catch {
    return [];
  }
}

/** Size in bytes of a block device; null where there is none. */
export function blockDeviceSize(name: string): bigint | null {
  const sectors = readSysfs(`block/${name}/size`);
  return sectors === null ? null : BigInt(sectors) * SECTOR_BYTES;
}

/** Who uses a block device: device-mapper and RAID names that stand on it or its partitions. */
export function holders(name: string): string[] {
  const folders = [`/sys/block/${name}/holders`];
  for (const entry of entries(`/sys/block/${name}`)) {
    if (entry.startsWith(name)) folders.push(`/sys/block/${name}/${entry}/holders`);
  }
  return folders.flatMap(entries);
}

/**
 * The node of a device that sysfs knows below `folder` (`block/nbd0`, `class/ublk-char/ublkc0`). Makes
 * it where it is missing. Throws SystemError.
 */
export function deviceNode(folder: string): string {
  const name = folder.replace(/^.*\//, "");
  const path = `/dev/${name}`;
  const numbers = readSysfs(`${folder}/dev`)?.match(/^(\d+):(\d+)$/);
  if (!numbers) throw new Error(`cannot find ${path}: the kernel has no device of this name`);
  const kind = folder.startsWith("block/") ? "block" : "character";
  makeDeviceNode(path, kind, Number(numbers[1]), Number(numbers[2]));
  return path;
}

function entries(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch {
    return [];
  }
}

function byNumber(a: string, b: string): number {
  return Number(a.replace(/\D/g, "")) - Number(b.replace(/\D/g, ""));
}
