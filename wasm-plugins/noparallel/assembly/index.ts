// SPDX-License-Identifier: MIT
// Makes requests wait for one another (README.md beside this folder): those of a client, those of all
// clients, or all those of a client for all those of another.

import {
  alloc,
  begin,
  closeHandle,
  complete,
  contextOf,
  end,
  Errno,
  failWith,
  free,
  Info,
  nextForward,
  openHandle,
  PENDING,
  Support,
  Task,
  taskOf,
  then,
  timer,
  token,
} from "../../sdk/assemblyscript/assembly";

export { sb_alloc, sb_done, sb_free } from "../../sdk/assemblyscript/assembly";

/** Values of serialize by position. */
const enum Mode {
  Requests = 0,
  AllRequests = 1,
  Connections = 2,
}

/** A request that waits or is under way. */
@unmanaged
class Waiting extends Task {
  request: i32;
  flags: i32;
  count: u64;
  offset: u64;
  lane: usize;
  next: usize;
}

/** Requests that wait for one another; one of them may be under way. */
@unmanaged
class Lane {
  first: usize;
  last: usize;
  busy: i32;
  /** Connections: its turn has not come. */
  held: i32;
  /** Connections: the lane that is next. */
  next: usize;
}

let mode: i32 = Mode.Requests;
/** All requests: the only lane. Connections: that whose turn it is; the others follow. */
let front: usize = 0;

export function sb_param_int(index: i32, value: i64): void {
  mode = <i32>value;
}

function makeLane(): usize {
  const lane = alloc(offsetof<Lane>(), 8);
  if (lane) memory.fill(lane, 0, offsetof<Lane>());
  return lane;
}

export function sb_ready(): i32 {
  if (mode != Mode.AllRequests) return 0;
  front = makeLane();
  return front ? 0 : <i32>Errno.ENOMEM;
}

export function sb_open(name: usize, nameLength: usize, flags: i32): i32 {
  const lane = mode == Mode.AllRequests ? front : makeLane();
  if (!lane) return -Errno.ENOMEM;
  const handle = openHandle(<u32>lane);
  if (handle < 0) return -Errno.ENOMEM;
  if (mode == Mode.Connections) lineUp(lane);
  return handle;
}

/** Puts a lane behind the others. */
function lineUp(lane: usize): void {
  if (!front) {
    front = lane;
    return;
  }
  changetype<Lane>(lane).held = 1;
  let last = front;
  while (changetype<Lane>(last).next) last = changetype<Lane>(last).next;
  changetype<Lane>(last).next = lane;
}

export function sb_close(handle: i32): void {
  const lane = <usize>contextOf(handle);
  closeHandle(handle);
  if (mode == Mode.AllRequests) return;
  if (mode == Mode.Connections) leave(lane);
  free(lane, offsetof<Lane>());
}

/** Takes a lane out of the row; where it was the first, it is the next one's turn. */
function leave(lane: usize): void {
  const next = changetype<Lane>(lane).next;
  if (lane != front) {
    let before = front;
    while (changetype<Lane>(before).next != lane) before = changetype<Lane>(before).next;
    changetype<Lane>(before).next = next;
    return;
  }
  front = next;
  if (!next) return;
  changetype<Lane>(next).held = 0;
  const first = changetype<Lane>(next).first;
  if (!first) return;
  // Not from within the closing of another export.
  const waiting = changetype<Waiting>(first);
  then(waiting, goOn);
  changetype<Lane>(next).busy = 1;
  if (timer(0, token(waiting))) start(changetype<Lane>(next));
}

export function sb_info(handle: i32, out: usize): i32 {
  if (mode == Mode.Connections) changetype<Info>(out).multiConn = Support.None;
  return 0;
}

function queue(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const pointer = <usize>contextOf(handle);
  const lane = changetype<Lane>(pointer);
  const waiting = begin<Waiting>(ended);
  if (!waiting) return failWith(Errno.ENOMEM, "cannot let the request wait: no memory");
  waiting.request = request;
  waiting.flags = flags;
  waiting.count = count;
  waiting.offset = offset;
  waiting.lane = pointer;
  if (!lane.busy && !lane.held && !lane.first) {
    const status = ask(waiting);
    if (status != PENDING) end(waiting);
    else lane.busy = 1;
    return status;
  }
  if (lane.first) changetype<Waiting>(lane.last).next = changetype<usize>(waiting);
  else lane.first = changetype<usize>(waiting);
  lane.last = changetype<usize>(waiting);
  return PENDING;
}

function ask(waiting: Waiting): i32 {
  const request = waiting.request;
  return nextForward(request, 0, 0, waiting.count, waiting.offset, waiting.flags, token(waiting));
}

/** A request is done: the next one. */
function ended(token: i32, result: i32): void {
  const waiting = taskOf<Waiting>(token);
  const lane = changetype<Lane>(waiting.lane);
  complete(waiting.request, result);
  end(waiting);
  lane.busy = 0;
  start(lane);
}

/** It is the turn of a lane whose first request waits. */
function goOn(token: i32, result: i32): void {
  start(changetype<Lane>(taskOf<Waiting>(token).lane));
}

/** Goes on until one has to be waited for. */
function start(lane: Lane): void {
  lane.busy = 0;
  while (lane.first) {
    const waiting = changetype<Waiting>(lane.first);
    lane.first = waiting.next;
    then(waiting, ended);
    const status = ask(waiting);
    if (status == PENDING) {
      lane.busy = 1;
      return;
    }
    complete(waiting.request, status);
    end(waiting);
  }
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return queue(handle, request, count, offset, flags);
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  return queue(handle, request, count, offset, flags);
}

export function sb_flush(handle: i32, request: i32, flags: i32): i32 {
  return queue(handle, request, 0, 0, flags);
}

export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return queue(handle, request, count, offset, flags);
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return queue(handle, request, count, offset, flags);
}

export function sb_cache(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return queue(handle, request, count, offset, flags);
}

export function sb_extents(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return queue(handle, request, count, offset, flags);
}
