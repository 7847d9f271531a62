// SPDX-License-Identifier: MIT
// What a process does that others' memory is written out through: it must not wait for memory that
// only comes free when it has done its work (prctl(2) PR_SET_IO_FLUSHER, proc(5)).

import { check } from "./errno.ts";
import { lateFunctions } from "./late.ts";

const symbols = lateFunctions({
  prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
});

const PR_SET_IO_FLUSHER = 57;
const OOM_NEVER = "-1000";

/**
 * Has the kernel not wait for writeback when it gives this process memory, and keeps it from being
 * chosen when memory runs out. For this thread, those that it starts from now on, and
 * processes that it starts. Takes root.
 * Throws SystemError.
 */
export function prepareForWriteback(): void {
  check(symbols.prctl(PR_SET_IO_FLUSHER, 1n, 0n, 0n, 0n), "become a process that writes back");
  Deno.writeTextFileSync("/proc/self/oom_score_adj", OOM_NEVER);
}
