// SPDX-License-Identifier: MIT
// Work that goes on when something has ended: a timer, or a request to what is below. A task is a small
// record with the function that goes on, its address is the token, and `sb_done` calls the function.
// Records come from a list of free ones, so that beginning work costs next to nothing.

import { alloc } from "./heap";

/** The largest record in bytes. */
const TASK_BYTES: usize = 128;
/** So many records are made at a time. */
const CHUNK: usize = 32;

let firstFree: usize = 0;

/** What a record begins with; a class of one's own that extends this holds the rest. */
@unmanaged
export class Task {
  /** Function that goes on, by its place in the table. */
  then: u32;
}

/**
 * A new record of class `T`, all zero but for what is to be called when it is done:
 * `begin<Waiting>(resume)`, where `resume(token: i32, result: i32)` finds it by
 * `taskOf<Waiting>(token)`. Null where there is no memory.
 */
export function begin<T>(then: (token: i32, result: i32) => void): T | null {
  if (offsetof<T>() > TASK_BYTES) ERROR("a task has at most 128 bytes");
  if (!firstFree && !more()) return null;
  const pointer = firstFree;
  firstFree = load<usize>(pointer);
  memory.fill(pointer, 0, offsetof<T>());
  changetype<Task>(pointer).then = then.index;
  return changetype<T>(pointer);
}

/** Says what is called when the task is done the next time. */
export function then<T>(task: T, next: (token: i32, result: i32) => void): void {
  changetype<Task>(changetype<usize>(task)).then = next.index;
}

/** The token of a task, for `timer` and what is below. */
// @ts-ignore: decorator
@inline
export function token<T>(task: T): i32 {
  return <i32>changetype<usize>(task);
}

/** The task of a token. */
// @ts-ignore: decorator
@inline
export function taskOf<T>(token: i32): T {
  return changetype<T>(<usize>token);
}

/** Ends a task: the record may become another one. */
export function end<T>(task: T): void {
  const pointer = changetype<usize>(task);
  store<usize>(pointer, firstFree);
  firstFree = pointer;
}

/** The host's way back: `export { sb_done } from ".../assembly"`. */
export function sb_done(token: i32, result: i32): void {
  call_indirect(changetype<Task>(<usize>token).then, token, result);
}

function more(): bool {
  const chunk = alloc(CHUNK * TASK_BYTES, 16);
  if (!chunk) return false;
  for (let i: usize = 0; i < CHUNK; i++) {
    store<usize>(chunk + i * TASK_BYTES, firstFree);
    firstFree = chunk + i * TASK_BYTES;
  }
  return true;
}
