// SPDX-License-Identifier: MIT
// Which tests run on which kernels: $SANDBLOCK_TEST_KERNELS, versions with commas between them, and
// $SANDBLOCK_TEST_SMOKE, which leaves thorough tests out.

import { DEBIAN_KERNELS, isKernelVersion, KERNEL_VERSIONS, type KernelVersion } from "./kernels.ts";

/** Where main.ts says what was asked for. */
export const CHOICE_VARIABLE = "SANDBLOCK_TEST_KERNELS";
/** Set where there is little time. */
export const SMOKE_VARIABLE = "SANDBLOCK_TEST_SMOKE";

/** What limits a test. */
export interface KernelTestOptions {
  among?: readonly KernelVersion[];
  /** Takes long, or says little that other tests do not say. */
  thorough?: boolean;
  /** Where there is little time: only on these. */
  smoke?: readonly KernelVersion[];
}

/** The kernels to test on; all of Debian unless told otherwise. Throws Error. */
export function chosenKernels(): readonly KernelVersion[] {
  const text = Deno.env.get(CHOICE_VARIABLE) ?? "";
  if (text === "") return DEBIAN_KERNELS;
  return text.split(",").map((version) => {
    if (isKernelVersion(version)) return version;
    throw new Error(
      `cannot test on Linux "${version}": it is one of ${KERNEL_VERSIONS.join(", ")}`,
    );
  });
}

/** A test on each of the kernels that were chosen and that are among `among`. */
export function kernelTest(
  name: string,
  body: (kernel: KernelVersion) => Promise<void>,
  { among = KERNEL_VERSIONS, thorough = false, smoke = KERNEL_VERSIONS }: KernelTestOptions = {},
): void {
  const isSmoke = Deno.env.get(SMOKE_VARIABLE) === "1";
  if (thorough && isSmoke) return;
  for (const version of chosenKernels()) {
    if (!among.includes(version) || (isSmoke && !smoke.includes(version))) continue;
    Deno.test(`Linux ${version}: ${name}`, () => body(version));
  }
}
