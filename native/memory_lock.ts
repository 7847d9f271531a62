// SPDX-License-Identifier: MIT
// What a process does that others' memory is written out through: it must not wait for memory that
// only comes free when it has done its work (mlockall(2), prctl(2) PR_SET_IO_FLUSHER, proc(5)).

import { check } from "./errno.ts";

const { symbols } = Deno.dlopen("libc.so.6", {
  mlockall: { parameters: ["i32"], result: "i32" },
  prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
});

/** MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT: what is reserved and not used takes no memory. */
const LOCK_ALL_THAT_IS_USED = 1 | 2 | 4;
const PR_SET_IO_FLUSHER = 57;
const OOM_NEVER = "-1000";

/**
 * Keeps this process in memory, has the kernel not wait for writeback when it gives it memory, and
 * keeps it from being chosen when memory runs out. For this thread and those that it starts from now
 * on. Takes root. Throws SystemError.
 */
export function prepareForWriteback(): void {
  check(symbols.mlockall(LOCK_ALL_THAT_IS_USED), "lock this process in memory");
  check(symbols.prctl(PR_SET_IO_FLUSHER, 1n, 0n, 0n, 0n), "become a process that writes back");
  Deno.writeTextFileSync("/proc/self/oom_score_adj", OOM_NEVER);
}
