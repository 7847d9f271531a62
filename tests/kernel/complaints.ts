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

/**
 * A report of lockdep about nbd.ko: it takes answers from its socket with the lock of a request held. Lockdep does
 * not tell one unix socket from another, so for it this is the lock under which a server receives into its
 * memory, which might have to be read from a file first, which might lie on the device. The memory of
 * sandblock's requests does not.
 */
const SOCKETS_TAKEN_FOR_ONE = [/nbd_handle_reply/, /unix_stream_read_generic/, /_copy_to_iter/];
const LOCKING_REPORT = /^.*possible circular locking dependency[^]*?<\/TASK>/gm;

function isAccepted(report: string): boolean {
  return SOCKETS_TAKEN_FOR_ONE.every((part) => part.test(report));
}

/** The lines of `log` that are complaints, but for a report of lockdep that is known to be mistaken. */
export function complaints(log: string): string[] {
  const rest = log.replace(LOCKING_REPORT, (report) => isAccepted(report) ? "" : report);
  return rest.split("\n").filter((line) => COMPLAINT.test(line));
}
