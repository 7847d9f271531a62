// SPDX-License-Identifier: MIT
// --exit-with-parent: the server ends with the process that started it.

const SIGTERM = 15;

/** Stops this process with SIGTERM when its parent ends, even if it has ended just now. */
export async function stopWithParent(): Promise<void> {
  const { parentPid, signalWhenParentEnds } = await import("../../native/process.ts");
  const parent = parentPid();
  signalWhenParentEnds(SIGTERM);
  // It may have ended before the kernel was asked; nobody would tell us then.
  if (parentPid() !== parent) Deno.kill(Deno.pid, "SIGTERM");
}
