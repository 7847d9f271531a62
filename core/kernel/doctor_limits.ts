// SPDX-License-Identifier: MIT
// Limits of this process that devices run into, as `sandblock doctor` sees them.

import { LIMITS_DEFAULT } from "../control/options.ts";
import { type Finding, gap, good, readProc } from "./finding.ts";

/** Descriptors that a server has beside one for each client. */
const DESCRIPTORS_BESIDE = 64;

/** Open files: each client, and each connection of nbd, is one. `limits`: /proc/self/limits. */
export function examineOpenFiles(limits = readProc("/proc/self/limits")): Finding {
  const subject = "open files";
  const text = /^Max open files\s+(\d+|unlimited)/m.exec(limits ?? "")?.[1];
  if (text === undefined) return good(subject, "the limit is not known");
  const clients = LIMITS_DEFAULT.connectionsMax;
  const fact = `this process may have ${text} open`;
  if (text === "unlimited" || Number(text) >= clients + DESCRIPTORS_BESIDE) {
    return good(subject, fact);
  }
  return gap(
    subject,
    `${fact}, and clients alone may be ${clients} (--max-connections)`,
    '"ulimit -n 65536" before the start, or LimitNOFILE=65536 in a systemd unit',
  );
}

/** Swap: a device that memory is written out through must not wait for memory itself. `swaps`: /proc/swaps. */
export function examineMemory(swaps = readProc("/proc/swaps")): Finding {
  const subject = "swap";
  const areas = (swaps ?? "").split("\n").slice(1).filter((line) => line !== "");
  if (areas.length === 0) return good(subject, "this machine does not swap");
  return good(
    subject,
    "this machine swaps",
    "keep what serves a mounted device out of it: MemorySwapMax=0 in a systemd unit, or attach --swap",
  );
}
