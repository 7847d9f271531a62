// SPDX-License-Identifier: MIT
// How much of the processors one thread gets when others want them too: sched_setscheduler(2), nice values
// of getpriority(2).

import { lateFunctions } from "./late.ts";

const symbols = lateFunctions({
  gettid: { parameters: [], result: "i32" },
  getpriority: { parameters: ["i32", "u32"], result: "i32" },
  sched_getscheduler: { parameters: ["i32"], result: "i32" },
  sched_setscheduler: { parameters: ["i32", "i32", "buffer"], result: "i32" },
});

const PRIO_PROCESS = 0;
const CAP_SYS_NICE = 23;

/** Policies of sched(7): the usual one, and the one that only gets what nobody else wants. */
const SCHED_OTHER = 0;
const SCHED_IDLE = 5;
/** The only member of `struct sched_param`, sched_priority: these policies have none. */
const PRIORITY_NONE = new Int32Array([0]);

/** Number of the calling thread. */
export function threadId(): number {
  return symbols.gettid();
}

/** The nice value of a thread, -20 to 19. One that does not exist has 0 or -1. */
export function threadNice(thread: number): number {
  return symbols.getpriority(PRIO_PROCESS, thread);
}

/** Whether a thread shares the processors as is usual, by SCHED_OTHER. */
export function isUsuallyScheduled(thread: number): boolean {
  return symbols.sched_getscheduler(thread) === SCHED_OTHER;
}

/**
 * Lets a thread have only what nobody else wants of the processors, or its usual share again.
 * False where that is not allowed or there is no such thread.
 */
export function setThreadIdle(thread: number, idle: boolean): boolean {
  return symbols.sched_setscheduler(thread, idle ? SCHED_IDLE : SCHED_OTHER, PRIORITY_NONE) === 0;
}

/** Whether this process may give a thread with the nice value `nice` its share back. */
export function mayEndIdle(nice: number): boolean {
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
