// SPDX-License-Identifier: MIT
// Work on rows: writing, reading what has to be made out of the others, rebuilding. At a time, one piece of
// work is done on a row, in the order of their coming, because what is made of several chunks is only right
// while none of them changes.

import { alloc, free } from "../../sdk/assemblyscript/assembly";
import { Group } from "./group";
import { commit } from "./journal";
import { startRebuild } from "./rebuild";
import { startRead } from "./reads";
import { startWrite } from "./writes";

export const enum Kind {
  Write = 0,
  Read = 1,
  Rebuild = 2,
}

/** Rows that are worked on at a time, so that their memory is bounded. */
const ACTIVE_MAX: i32 = 32;

/** A piece of work. */
@unmanaged
export class Work extends Group {
  previous: usize;
  nextWork: usize;
  kind: i32;
  active: bool;
  row: u64;
  /** The client's request that this is part of; 0 for none. */
  owner: usize;
  /** Write: the bytes of the row that are written, and where they are. Read: those of one chunk. */
  from: u64;
  to: u64;
  data: usize;
  /** The part of each chunk that matters. */
  low: u64;
  high: u64;
  /** Read: which chunk of the data. */
  index: i32;
  /** A device that could not be read; -1 for none. */
  avoid: i32;
  /** Memory: the record of the journal, then chunks that were read. */
  buffer: usize;
  bufferBytes: usize;
  recordBytes: usize;
  parity: usize;
  chunks: usize;
  mode: i32;
  /** Its place in the journal. */
  entry: u64;
  nextInJournal: usize;
}

let first: usize = 0;
let last: usize = 0;
let active: i32 = 0;
let pumping = false;
let again = false;

/** Adds a piece of work; `pump` starts it. Null where there is no memory. */
export function addWork(kind: i32, row: u64, owner: usize): Work | null {
  const pointer = alloc(offsetof<Work>(), 16);
  if (!pointer) return null;
  memory.fill(pointer, 0, offsetof<Work>());
  const work = changetype<Work>(pointer);
  work.kind = kind;
  work.row = row;
  work.owner = owner;
  work.avoid = -1;
  work.previous = last;
  if (last) changetype<Work>(last).nextWork = pointer;
  else first = pointer;
  last = pointer;
  return work;
}

/** Starts what may be started, and has the journal written. Called when something has been added or ended. */
export function pump(): void {
  again = true;
  if (pumping) return;
  pumping = true;
  while (again) {
    again = false;
    for (let at = first; at && active < ACTIVE_MAX;) {
      const work = changetype<Work>(at);
      at = work.nextWork;
      if (work.active || isBlocked(work)) continue;
      work.active = true;
      active++;
      if (work.kind == Kind.Write) startWrite(work);
      else if (work.kind == Kind.Read) startRead(work);
      else startRebuild(work);
    }
    commit();
  }
  pumping = false;
}

/** Whether work on the same row came before. */
function isBlocked(work: Work): bool {
  const stop = changetype<usize>(work);
  for (let at = first; at != stop; at = changetype<Work>(at).nextWork) {
    if (changetype<Work>(at).row == work.row) return true;
  }
  return false;
}

/** Memory for a piece of work; false where there is none. */
export function takeBuffer(work: Work, bytes: usize): bool {
  work.buffer = alloc(bytes, 16);
  work.bufferBytes = bytes;
  return work.buffer != 0;
}

/** Ends a piece of work. To be followed by `pump`. */
export function endWork(work: Work): void {
  if (work.previous) changetype<Work>(work.previous).nextWork = work.nextWork;
  else first = work.nextWork;
  if (work.nextWork) changetype<Work>(work.nextWork).previous = work.previous;
  else last = work.previous;
  if (work.buffer) free(work.buffer, work.bufferBytes);
  free(changetype<usize>(work), offsetof<Work>());
  active--;
}
