// SPDX-License-Identifier: MIT
// How much of the processors one thread gets when others want them too: getpriority(2), setpriority(2).

const { symbols } = Deno.dlopen("libc.so.6", {
  gettid: { parameters: [], result: "i32" },
  getpriority: { parameters: ["i32", "u32"], result: "i32" },
  setpriority: { parameters: ["i32", "u32", "i32"], result: "i32" },
});

const PRIO_PROCESS = 0;
const CAP_SYS_NICE = 23;

/** The nice value with which a thread only gets what nobody else wants. */
export const NICE_MAX = 19;

/** Number of the calling thread. */
export function threadId(): number {
  return symbols.gettid();
}

/** The nice value of a thread, -20 to 19. One that does not exist has 0 or -1. */
export function threadNice(thread: number): number {
  return symbols.getpriority(PRIO_PROCESS, thread);
}

/** Sets it. False where that is not allowed or there is no such thread. */
export function setThreadNice(thread: number, nice: number): boolean {
  return symbols.setpriority(PRIO_PROCESS, thread, nice) === 0;
}

/** Whether this process may take back a higher nice value, and have `nice` again. */
export function mayHaveNice(nice: number): boolean {
  try {
    const capabilities = /^CapEff:\s*([0-9a-f]+)$/m.exec(
      Deno.readTextFileSync("/proc/self/status"),
    );
    if ((BigInt(`0x${capabilities?.[1] ?? "0"}`) >> BigInt(CAP_SYS_NICE) & 1n) === 1n) return true;
    const limit = /^Max nice priority\s+(\d+)/m.exec(Deno.readTextFileSync("/proc/self/limits"));
    return Number(limit?.[1] ?? 0) >= 20 - nice;
  } catch {
    return false;
  }
}
