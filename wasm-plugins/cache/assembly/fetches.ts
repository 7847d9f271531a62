// SPDX-License-Identifier: MIT
// Fetches: bring blocks in from below. Into the cache file they go by way of memory.

import {
  alloc,
  begin,
  end,
  filePwrite,
  free,
  nextPread,
  PENDING,
  Task,
  taskOf,
  token,
} from "../../sdk/assemblyscript/assembly";
import { entryOf } from "../../lib/blocks/assembly/map";
import { file, notWritten, placeOf } from "./file";
import { Kind, Operation, resumeWaiting } from "./operations";
import {
  arrive,
  blockBits,
  blockMask,
  diskSize,
  FETCHING,
  forsake,
  insert,
  onDisk,
  unitStep,
} from "./store";

/** Largest piece that is fetched. */
const FETCH_BYTES_MAX: u64 = 1 << 20;
/** Memory for what is fetched is aligned so. */
const ALIGNMENT: usize = 4096;

/** Blocks on their way from below; `owner` is told when they do not come. */
@unmanaged
class Fetch extends Task {
  from: u64;
  to: u64;
  owner: usize;
  /** With a cache file: the first slot, and the memory that the bytes pass through. */
  slot: usize;
  buffer: usize;
  bytes: usize;
  /** They have come from below, and are being put into the file. */
  storing: bool;
}

let ownHandle: i32 = -1;
/** Bytes of one piece at most. */
export let fetchBytesMax: u64 = 4096;

/** Fetches go through the filter's `own` handle; `maximum` is the largest read there. */
export function setUpFetches(own: i32, maximum: u32): void {
  ownHandle = own;
  fetchBytesMax = max(min(FETCH_BYTES_MAX, <u64>maximum), blockMask + 1);
}

/** Fetches blocks from `from` on that lie side by side. Returns the one behind; 0: none. */
export function fetch(one: Operation, from: u64, most: u64): u64 {
  const first = insert(from, FETCHING, 0);
  if (!first) return 0;
  let to = from + 1;
  for (let unit = first; to < most && !entryOf(to); to++) {
    const next = insert(to, FETCHING, unit);
    if (!next) break;
    if (next != unit + unitStep) {
      // It will be the first of another piece.
      forsake(to);
      break;
    }
    unit = next;
  }
  const offset = from << blockBits;
  const count = min(to << blockBits, diskSize) - offset;
  const task = begin<Fetch>(fetched);
  const buffer = !onDisk ? first : task ? alloc(<usize>count, ALIGNMENT) : 0;
  if (!task || !buffer) {
    for (let block = from; block < to; block++) forsake(block);
    if (task) end(task);
    return 0;
  }
  task.from = from;
  task.to = to;
  task.owner = one.kind == Kind.Cache ? 0 : changetype<usize>(one);
  task.slot = first;
  task.buffer = buffer;
  task.bytes = <usize>count;
  if (task.owner) one.fetches++;
  const status = nextPread(ownHandle, 0, buffer, count, offset, 0, token(task));
  if (status != PENDING) haveFetched(task, status);
  return to;
}

function fetched(at: i32, result: i32): void {
  if (haveFetched(taskOf<Fetch>(at), result)) resumeWaiting();
}

/** A step of a fetch has ended with `errno`. Whether it was the last one. */
function haveFetched(task: Fetch, errno: i32): bool {
  if (onDisk && !errno && !task.storing) {
    task.storing = true;
    const place = placeOf(task.slot, 0);
    errno = filePwrite(file, task.buffer, task.bytes, place, 0, token(task));
    if (errno == PENDING) return false;
  }
  for (let block = task.from; block < task.to; block++) {
    if (errno) forsake(block);
    else arrive(block);
  }
  if (onDisk) free(task.buffer, task.bytes);
  if (task.owner) {
    const owner = changetype<Operation>(task.owner);
    owner.fetches--;
    // What the file does not take can be used all the same, where it is.
    if (errno && !task.storing) owner.errno = errno;
  }
  if (errno && task.storing) notWritten(errno);
  end(task);
  return true;
}
