// SPDX-License-Identifier: MIT
// Waits for what is under way below a filter, on the control path only: an export whose size follows
// from its content cannot be opened before that was read. The reactor stands still meanwhile, so handshakes
// take the other way (NotYet in core/block/device.ts); this is for devices with several children and others.

import type { Device } from "../block/device.ts";
import { BlockError, Errno } from "../block/errno.ts";
import { Epoll, Poll } from "../../native/epoll.ts";
import type { Agenda } from "./agenda.ts";

/** Looked at again after so long, whatever is reported. */
const STEP_MS = 100;

/** What of a device is needed to wait for it. */
export type Awaited = Pick<Device, "completionFds" | "nextMs" | "reap" | "submitQueued">;

/**
 * Runs `devices` and `agenda` until `isDone`, no plugin being called meanwhile but for what they have to
 * do. Throws BlockError after `timeoutMs`; `what` could not be done then.
 */
export function runUntil(
  devices: readonly Awaited[],
  agenda: Agenda,
  timeoutMs: number,
  isDone: () => boolean,
  what = "get the size of an export",
): void {
  const deadlineMs = performance.now() + timeoutMs;
  const epoll = new Epoll(1);
  try {
    for (const { completionFds } of devices) {
      for (const fd of completionFds) epoll.add(fd, Poll.In);
    }
    while (!isDone()) {
      const now = performance.now();
      if (now > deadlineMs) {
        throw new BlockError(
          Errno.ETIMEDOUT,
          `cannot ${what}: nothing was answered within ${timeoutMs} ms`,
        );
      }
      for (const device of devices) device.submitQueued();
      const nextMs = Math.min(agenda.nextMs, ...devices.map((device) => device.nextMs));
      epoll.wait(Math.max(0, Math.min(STEP_MS, Math.ceil(nextMs - now))));
      for (const device of devices) device.reap();
      agenda.run(performance.now());
    }
  } finally {
    epoll.close();
  }
}
