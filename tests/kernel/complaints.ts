// SPDX-License-Identifier: MIT
// Lines of a kernel log that mean that something is wrong with the kernel, or was done to it.

/** Reports of the kernel's own checks, of lockdep, KASAN, UBSAN, and of tasks that hang. */
const COMPLAINT = new RegExp(
  [
    "BUG:",
    "WARNING:",
    "Oops",
    "KASAN",
    "UBSAN",
    "possible (circular|recursive) locking",
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
