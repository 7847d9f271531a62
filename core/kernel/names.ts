// SPDX-License-Identifier: MIT
// Names of kernel devices: nbd3 or /dev/nbd3, bdus-0 or /dev/bdus-0, ublkb0 or /dev/ublkb0.

/** Ways into the kernel. */
export const VIAS = ["nbd", "bdus", "ublk"] as const;
export type Via = typeof VIAS[number];

/** A device of one of them. */
export interface KernelDevice {
  via: Via;
  index: number;
  /** As sysfs calls it: nbd3, ublkb0. */
  name: string;
  /** Its node: /dev/nbd3. */
  path: string;
}

/** What each way calls its block devices, before the number. */
const PREFIXES: Readonly<Record<Via, string>> = { nbd: "nbd", bdus: "bdus-", ublk: "ublkb" };
/** Numbers beyond have never been seen. */
const DIGITS_MAX = 7;

/** Device `index` of a way. */
export function kernelDevice(via: Via, index: number): KernelDevice {
  const name = `${PREFIXES[via]}${index}`;
  return { via, index, name, path: `/dev/${name}` };
}

/** The device that `text` names. Throws Error with one sentence. */
export function parseDevice(text: string): KernelDevice {
  const name = text.replace(/^\/dev\//, "");
  for (const via of VIAS) {
    const digits = name.startsWith(PREFIXES[via]) ? name.slice(PREFIXES[via].length) : "";
    if (/^\d+$/.test(digits) && digits.length <= DIGITS_MAX) {
      return kernelDevice(via, Number(digits));
    }
  }
  throw new Error(
    `cannot use device "${text}": it is not one that sandblock makes; use /dev/nbdN, /dev/bdus-N or /dev/ublkbN`,
  );
}
