// SPDX-License-Identifier: MIT
// Socket activation: sockets that a service manager has opened and hands over from descriptor 3 on
// (sd_listen_fds(3)). Used by systemd, by libnbd's `[ COMMAND ]`, and by systemd-socket-activate.

import { setCloseOnExec } from "../../native/descriptor.ts";
import { socketRole } from "../../native/socket.ts";

/** The first descriptor that is handed over. */
const LISTEN_FDS_START = 3;
/** More than anybody passes; a larger number is a mistake. */
const LISTEN_FDS_MAX = 1024;
/** The variables that describe what was handed over. */
const VARIABLES = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"];

/** What was handed over. */
export interface Activation {
  listenFds: number[];
  /** Sockets with a client already (systemd's `Accept=yes`). */
  connectedFds: number[];
}

/** The environment, as far as it is read and changed here. */
export interface Variables {
  get(name: string): string | undefined;
  delete(name: string): void;
}

/**
 * Takes over the sockets that are meant for this process, if any, and removes the variables, which
 * would mislead child processes. `first` is their first descriptor. Throws Error when what was
 * handed over cannot be served.
 */
export function takeActivation(
  variables: Variables,
  pid: number,
  first = LISTEN_FDS_START,
): Activation {
  const count = handedOver(variables, pid);
  if (count > 0) { for (const name of VARIABLES) variables.delete(name); }
  const activation: Activation = { listenFds: [], connectedFds: [] };
  for (let fd = first; fd < first + count; fd++) {
    const role = socketRole(fd);
    if (role === "none") {
      throw new Error(`cannot use descriptor ${fd} of LISTEN_FDS: it is not a socket`);
    }
    setCloseOnExec(fd);
    (role === "listening" ? activation.listenFds : activation.connectedFds).push(fd);
  }
  return activation;
}

/** How many sockets are meant for this process. Throws Error where the variables make no sense. */
function handedOver(variables: Variables, pid: number): number {
  const forPid = variables.get("LISTEN_PID");
  const count = variables.get("LISTEN_FDS");
  // Without both there is no activation; another pid means that an ancestor was activated.
  if (forPid === undefined || count === undefined || forPid !== `${pid}`) return 0;
  if (!/^\d{1,4}$/.test(count) || Number(count) < 1 || Number(count) > LISTEN_FDS_MAX) {
    throw new Error(
      `cannot use LISTEN_FDS "${count}": it is a number from 1 to ${LISTEN_FDS_MAX}`,
    );
  }
  return Number(count);
}
