// SPDX-License-Identifier: MIT
// Lines of a kernel log that mean that something is wrong with the kernel, or was done to it.

/** Reports of the kernel's own checks, of lockdep, KASAN, UBSAN, kmemleak, and of tasks that hang. */
const COMPLAINT = new RegExp(
  [
    "BUG:",
    "WARNING:",
    "Oops",
    "KASAN",
    "UBSAN",
    "possible (circular|recursive) locking",
    "inconsistent lock state",
    "trying to register non-static key",
    "DEBUG_LOCKS_WARN_ON",
    "ODEBUG",
    "list_(add|del) corruption",
    "refcount_t:",
    "new suspected memory leaks",
    "general protection",
    "blocked for more than",
    "rcu: INFO",
    "Kernel panic",
  ].join("|"),
);

/** The lines of `log` that are complaints. */
export function complaints(log: string): string[] {
  return log.split("\n").filter((line) => COMPLAINT.test(line));
}
