// SPDX-License-Identifier: MIT
// Waiting, and saying for what when it takes long.

import { printError } from "../output.ts";

/** After so long a person wants to know. */
const PATIENCE_MS = 2000;

/** The result of `promise`; what it waits for is told on standard error when that is not soon. */
export async function tellIfSlow<T>(
  promise: Promise<T>,
  what: string,
  tell = printError,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const timer = setTimeout(() => tell(`sandblock: waiting for ${what}\n`), patienceMs);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

/** The result of `promise`. Rejects with `refusal` when it takes longer than `ms`; null: never. */
export async function atMost<T>(
  promise: Promise<T>,
  ms: number | null,
  refusal: string,
): Promise<T> {
  if (ms === null) return await promise;
  let timer;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(refusal)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks again until `condition` holds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!await condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** Whether a process is there; one that has ended and is not waited for is not. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}
