// SPDX-License-Identifier: MIT
// Requests to several devices at a time: when all have ended, a function goes on. The low bits of a token
// say which device it is about.

import { PENDING, Task } from "../../sdk/assemblyscript/assembly";

const DEVICE_MASK: usize = 15;

/** Lies at a multiple of 16. */
@unmanaged
export class Group extends Task {
  /** Who goes on: the place of a function that takes the address of the group. */
  next: u32;
  left: i32;
  /** Devices that have failed, bit by bit, and one of their errors. */
  failed: u32;
  errno: i32;
}

/** Begins a step at whose end `next` is called. */
export function openGroup(group: Group, next: (pointer: usize) => void): void {
  group.then = arrived.index;
  group.next = next.index;
  group.left = 1;
  group.failed = 0;
  group.errno = 0;
}

// @ts-ignore: decorator
@inline
export function tokenFor(group: Group, device: i32): i32 {
  return <i32>(changetype<usize>(group) | <usize>device);
}

/** Takes note of a request to `device` that has returned `status`. */
export function track(group: Group, device: i32, status: i32): void {
  if (status == PENDING) group.left++;
  else if (status) note(group, device, status);
}

/** All requests of the step are made. */
export function closeGroup(group: Group): void {
  if (--group.left == 0) call_indirect(group.next, changetype<usize>(group));
}

function note(group: Group, device: i32, errno: i32): void {
  group.failed |= 1 << device;
  group.errno = errno;
}

function arrived(token: i32, result: i32): void {
  const group = changetype<Group>(<usize>token & ~DEVICE_MASK);
  if (result) note(group, <i32>(<usize>token & DEVICE_MASK), result);
  if (--group.left == 0) call_indirect(group.next, changetype<usize>(group));
}

/** The way back from the host, for groups as for all tasks. */
export function sb_done(token: i32, result: i32): void {
  call_indirect(changetype<Task>(<usize>token & ~DEVICE_MASK).then, token, result);
}
