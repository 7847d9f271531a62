// SPDX-License-Identifier: MIT
// Which kernels the tests are to run on: $SANDBLOCK_TEST_KERNELS, versions with commas between them.

import { isKernelVersion, KERNEL_VERSIONS, type KernelVersion } from "./kernels.ts";

/** Where main.ts says what was asked for. */
export const CHOICE_VARIABLE = "SANDBLOCK_TEST_KERNELS";

/** The kernels to test on; all of them unless told otherwise. Throws Error. */
export function chosenKernels(): KernelVersion[] {
  const text = Deno.env.get(CHOICE_VARIABLE) ?? "";
  if (text === "") return KERNEL_VERSIONS;
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
  among: readonly KernelVersion[] = KERNEL_VERSIONS,
): void {
  for (const version of chosenKernels()) {
    if (among.includes(version)) Deno.test(`Linux ${version}: ${name}`, () => body(version));
  }
}
