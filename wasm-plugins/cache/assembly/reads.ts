// SPDX-License-Identifier: MIT
// Reads: answered with what is there, from below, or after what is missing was fetched.

import {
  complete,
  DataFlag,
  end,
  nextForward,
  PENDING,
  replyData,
  taskOf,
  then,
  token,
} from "../../sdk/assemblyscript/assembly";
import { entryOf, spanEnd } from "../../lib/blocks/assembly/map";
import { fetch, fetchBytesMax } from "./fetches";
import { answerFromFile } from "./file_reads";
import { isPassing, Kind, Operation, TRIES_MAX, wait } from "./operations";
import { blockBits, blockMask, FETCHING, limit, onDisk, touch, unitOf } from "./store";

/** Reads bring blocks in. */
export let fetchesReads = false;

/** Whether what is read is kept. */
export function setUpReads(onRead: bool): void {
  fetchesReads = onRead;
}

/** Fetches what is missing and waits for it, or answers. */
export function read(one: Operation): i32 {
  if (one.tries < TRIES_MAX && fetchMissing(one)) return wait(one);
  if (one.errno) return one.errno;
  then(one, forwarded);
  const status = onDisk
    ? answerFromFile(one)
    : answer(one.request, one.count, one.offset, one.flags, token(one), one);
  return one.left ? PENDING : status;
}

/** Part of a read was answered from below. */
function forwarded(at: i32, result: i32): void {
  readEnded(taskOf<Operation>(at), result);
}

/** Part of a read has ended. */
export function readEnded(one: Operation, errno: i32): void {
  if (errno) one.errno = errno;
  if (--one.left) return;
  complete(one.request, one.errno);
  end(one);
}

/**
 * Answers a read with what is there and forwards the rest. With an operation the parts that are under
 * way are counted there, and the first error; else the host sees to that.
 */
export function answer(
  request: i32,
  count: u64,
  offset: u64,
  flags: i32,
  tokenOf: i32,
  one: Operation | null,
): i32 {
  const stop = offset + count;
  let pending = false;
  for (let at = offset; at < stop;) {
    const entry = entryOf(at >> blockBits);
    const cached = entry && !(entry & FETCHING);
    let to = at;
    let next = min(spanEnd << blockBits, stop);
    if (cached) {
      const unit = unitOf(entry);
      touch(unit);
      replyData(request, at - offset, unit + <usize>(at & blockMask), next - at, DataFlag.Transient);
      at = next;
      continue;
    }
    while (next < stop) {
      const other = entryOf(next >> blockBits);
      if (other && !(other & FETCHING)) break;
      next = min(spanEnd << blockBits, stop);
    }
    const status = nextForward(request, 0, to - offset, next - to, to, flags, tokenOf);
    if (status == PENDING) {
      pending = true;
      if (one) one.left++;
    } else if (status) {
      if (one) one.errno = status;
      return status;
    }
    at = next;
  }
  return pending ? PENDING : 0;
}

/**
 * Begins to fetch the blocks that are not there, as far as there is room. Returns whether some are on
 * their way.
 */
export function fetchMissing(one: Operation): bool {
  const wants = (one.kind == Kind.Cache || fetchesReads) && !isPassing(one.first, one.last);
  // What does not fit beside other requests would only push itself out.
  const fits = one.last - one.first + 1 <= limit() >> 2;
  let coming = false;
  let began = false;
  for (let block = one.first; block <= one.last; block = spanEnd) {
    const entry = entryOf(block);
    if (entry & FETCHING) coming = true;
    if (entry || !wants || !fits || (one.kind == Kind.Cache && one.tries)) continue;
    const fetched = fetch(one, block, min(one.last + 1, block + (fetchBytesMax >> blockBits)));
    if (!fetched) break;
    began = true;
    if (entryOf(block) & FETCHING) coming = true;
    entryOf(fetched - 1);
  }
  if (began) one.tries++;
  return coming;
}
