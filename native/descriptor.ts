// SPDX-License-Identifier: MIT
// What every descriptor can do: close, non-blocking mode, and eventfd(2) to wake another thread.

import { check } from "./errno.ts";
import { lateLibc, libc } from "./libc.ts";

const F_GETFD = 1;
const F_GETFL = 3;
const F_SETFL = 4;
const F_SETFD = 2;
const F_DUPFD_CLOEXEC = 1030;
const FD_CLOEXEC = 1;
const O_NONBLOCK = 0o4000;
const EFD_NONBLOCK = O_NONBLOCK;
const EFD_CLOEXEC = 0o2000000;

/** Closes a descriptor; an error is of no use to anybody, so none is reported. */
export function closeDescriptor(fd: number): void {
  libc.close(fd);
}

/** Makes reads and writes on the descriptor fail with EAGAIN rather than wait. */
export function setNonBlocking(fd: number): void {
  const flags = check(lateLibc.fcntl(fd, F_GETFL, 0), `use descriptor ${fd}`);
  check(lateLibc.fcntl(fd, F_SETFL, flags | O_NONBLOCK), `make descriptor ${fd} non-blocking`);
}

/** A further descriptor of the same open file, which child processes do not get. Throws SystemError. */
export function copyDescriptor(fd: number): number {
  return check(lateLibc.fcntl(fd, F_DUPFD_CLOEXEC, 0), `copy descriptor ${fd}`);
}

/** Keeps the descriptor from child processes. */
export function setCloseOnExec(fd: number): void {
  check(lateLibc.fcntl(fd, F_SETFD, FD_CLOEXEC), `use descriptor ${fd}`);
}

/**
 * Whether the descriptor was given to this process when it was started, or is open for its children. What
 * the runtime has opened for itself is neither, and nothing else may touch it.
 */
export function isInherited(fd: number): boolean {
  const flags = lateLibc.fcntl(fd, F_GETFD, 0);
  return flags >= 0 && (flags & FD_CLOEXEC) === 0;
}

/** An eventfd: readable after `signalEvent` until `clearEvent`. */
export function createEvent(): number {
  return check(libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "create an eventfd");
}

const one = new Uint8Array(new BigUint64Array([1n]).buffer);
const counter = new Uint8Array(8);
const counted = new Uint32Array(counter.buffer);

/** Makes an eventfd readable, from any thread. */
export function signalEvent(fd: number): void {
  libc.write(fd, one, 8);
}

/** Makes an eventfd unreadable again. */
export function clearEvent(fd: number): void {
  libc.read(fd, counter, 8);
}

/** Makes an eventfd unreadable again. How often it was signalled since it was so last. */
export function takeEvent(fd: number): number {
  return libc.read(fd, counter, 8) === 8 ? counted[0]! : 0;
}
