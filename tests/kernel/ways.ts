// SPDX-License-Identifier: MIT
// The ways into the kernel, as tests go through them.

import { kernelTest } from "./chosen.ts";
import { type GuestOptions, succeedInGuest } from "./guest.ts";
import type { KernelVersion } from "./kernels.ts";
import { builtModule } from "./module.ts";
import { prelude } from "./script.ts";

/** One way, and what differs on it. */
export interface Way {
  via: "nbd" | "ublk" | "bdus";
  /** The kernel module behind it. */
  module: string;
  /** Its first device. */
  dev: string;
  /** Options that name another device, where that can be chosen, and what it is then. */
  choice: string;
  chosen: string;
  /** Options for more than one request at a time. */
  parallel: string;
  /** The most requests under way. */
  depth: number;
  /** Whether a device can get another size. */
  resizes(kernel: KernelVersion): boolean;
  /** Kernels that have it. */
  kernels: readonly KernelVersion[];
  /** Those of them where it is tested when there is little time. */
  smoke: readonly KernelVersion[];
}

/** All ways. Where a kernel has several, each is tested. */
export const WAYS: readonly Way[] = [
  {
    via: "nbd",
    module: "nbd",
    dev: "/dev/nbd0",
    choice: "--device /dev/nbd3",
    chosen: "/dev/nbd3",
    parallel: "--connections 2",
    depth: 128,
    resizes: () => true,
    kernels: ["6.1", "6.12", "7.2", "debug"],
    smoke: ["6.1"],
  },
  {
    via: "ublk",
    module: "ublk_drv",
    dev: "/dev/ublkb0",
    choice: "--device /dev/ublkb3",
    chosen: "/dev/ublkb3",
    parallel: "--depth 64",
    depth: 512,
    resizes: (kernel) => kernel === "7.2",
    kernels: ["6.12", "7.2", "debug"],
    smoke: ["6.12"],
  },
  {
    via: "bdus",
    module: "bdus",
    dev: "/dev/bdus-0",
    choice: "",
    chosen: "/dev/bdus-0",
    parallel: "--depth 64",
    depth: 512,
    resizes: () => true,
    kernels: ["6.1", "6.12", "7.2", "debug"],
    smoke: ["6.1"],
  },
];

/** What limits a test, and its guests. */
export interface WayTestOptions extends Omit<GuestOptions, "kernel"> {
  /** The ways to test; all unless given. */
  vias?: readonly Way["via"][];
  among?: readonly KernelVersion[];
  thorough?: boolean | ((way: Way) => boolean);
}

const MEMORY_MEGABYTES = 1536;

/** A test on each way and each kernel that has it: `script` ends with nothing attached. */
export function wayTest(
  name: string,
  script: (way: Way, kernel: KernelVersion) => string | Promise<string>,
  { among, vias, thorough = false, ...guest }: WayTestOptions = {},
): void {
  for (const way of WAYS.filter(({ via }) => vias?.includes(via) ?? true)) {
    const body = async (kernel: KernelVersion) => {
      const beginning = prelude() + await wayPrelude(way, kernel);
      const text = `${beginning}${await script(way, kernel)}\nall_gone`;
      await succeedInGuest(text, { memoryMegabytes: MEMORY_MEGABYTES, ...guest, kernel });
    };
    kernelTest(`${way.via}: ${name}`, body, {
      among: way.kernels.filter((kernel) => among === undefined || among.includes(kernel)),
      thorough: typeof thorough === "function" ? thorough(way) : thorough,
      smoke: way.smoke,
    });
  }
}

/**
 * Makes the way usable in a guest: `load_module` loads its module, which modprobe does not find where
 * it is our own; the variable `via` has the option for attach.
 */
export async function wayPrelude(way: Way, kernel: KernelVersion): Promise<string> {
  const load = way.via === "bdus"
    ? `insmod ${await builtModule(kernel)}`
    : `modprobe ${way.module}`;
  return `\nvia="--via ${way.via}"; load_module() { ${load}; }; load_module\n`;
}
