// SPDX-License-Identifier: MIT
// Runs the tests in guests: deno task test:kernel [--kernel 6.1|6.12|7.2|debug]... [FILE...]
// Needs dist/sandblock (deno task build); installs and downloads whatever else is missing.

import { CHOICE_VARIABLE } from "./chosen.ts";
import {
  DEBIAN_KERNELS,
  fetchKernel,
  isKernelVersion,
  KERNEL_VERSIONS,
  type KernelVersion,
} from "./kernels.ts";
import { prepareMachine } from "./machine.ts";

const FOLDER = import.meta.dirname!;

interface Choice {
  kernels: readonly KernelVersion[];
  files: string[];
}

function parse(args: readonly string[]): Choice {
  const kernels: KernelVersion[] = [];
  const files: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const word = args[at]!;
    if (word !== "--kernel") {
      if (word.startsWith("-")) {
        throw new Error(`cannot use "${word}": the only option is --kernel`);
      }
      files.push(word);
      continue;
    }
    const version = args[++at] ?? "";
    if (!isKernelVersion(version)) {
      throw new Error(
        `cannot use --kernel "${version}": it is one of ${KERNEL_VERSIONS.join(", ")}`,
      );
    }
    kernels.push(version);
  }
  return { kernels: kernels.length > 0 ? kernels : DEBIAN_KERNELS, files };
}

/** Gets machine and kernels ready. Throws Error that says what is missing. */
export async function prepareGuests(kernels: readonly KernelVersion[]): Promise<void> {
  await prepareMachine();
  for (const version of kernels) await fetchKernel(version);
}

async function main(): Promise<number> {
  const { kernels, files } = parse(Deno.args);
  await prepareGuests(kernels);
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", ...files.length > 0 ? files : [FOLDER]],
    env: { [CHOICE_VARIABLE]: kernels.join(",") },
    stdin: "null",
  }).spawn().status;
  return code;
}

if (import.meta.main) {
  try {
    Deno.exit(await main());
  } catch (error) {
    console.error(`test:kernel: error: ${(error as Error).message}`);
    Deno.exit(1);
  }
}
