// SPDX-License-Identifier: MIT
// Numbers for what is open: the smallest that is free, each with one word of the plugin's own.

import { alloc, free } from "./heap";

/** Handles that may be open. */
const HANDLES_MAX: i32 = 65536;
/** The table holds the word of a handle plus 1; 0 is a free one. */
let table: usize = 0;
let capacity: i32 = 0;

/** A new handle that stands for `context` (below 2^32 - 1); -1 where there are no more. */
export function openHandle(context: u32): i32 {
  for (let handle = 0; handle < capacity; handle++) {
    if (!load<u32>(table + (<usize>handle << 2))) {
      store<u32>(table + (<usize>handle << 2), context + 1);
      return handle;
    }
  }
  const handle = capacity;
  if (capacity == HANDLES_MAX || !grow()) return -1;
  store<u32>(table + (<usize>handle << 2), context + 1);
  return handle;
}

/** What `handle` stands for. */
export function contextOf(handle: i32): u32 {
  return load<u32>(table + (<usize>handle << 2)) - 1;
}

/** Whether `handle` is open. */
export function isOpen(handle: i32): bool {
  return handle >= 0 && handle < capacity && load<u32>(table + (<usize>handle << 2)) != 0;
}

/** No handle is open from here on. */
export function handlesEnd(): i32 {
  return capacity;
}

/** Makes the handle free again. */
export function closeHandle(handle: i32): void {
  store<u32>(table + (<usize>handle << 2), 0);
}

function grow(): bool {
  const larger = capacity ? capacity << 1 : 64;
  const bytes = <usize>larger << 2;
  const next = alloc(bytes, 4);
  if (!next) return false;
  memory.fill(next, 0, bytes);
  if (capacity) {
    memory.copy(next, table, <usize>capacity << 2);
    free(table, <usize>capacity << 2);
  }
  table = next;
  capacity = larger;
  return true;
}
