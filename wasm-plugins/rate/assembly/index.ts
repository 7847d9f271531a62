// SPDX-License-Identifier: MIT
// Limits how many bytes go each way (README.md beside this folder). Requests go at once while there is
// room in the buckets; others stand in line, and large ones go piece by piece.

import {
  alloc,
  begin,
  cancel,
  closeHandle,
  complete,
  contextOf,
  end,
  Errno,
  failWith,
  free,
  hasFeature,
  monotonic,
  nextForward,
  nextSize,
  openHandle,
  pass,
  PENDING,
  Task,
  taskOf,
  timer,
  token,
} from "../../sdk/assemblyscript/assembly";
import { Bucket, fill, isOpen, setRate, take, wait } from "./bucket";
import { follow, follows, look } from "./file";

export { sb_alloc, sb_done, sb_free } from "../../sdk/assemblyscript/assembly";

/** Directions. */
const READ: i32 = 0;
const WRITE: i32 = 1;
const BUCKET_BYTES: usize = 24;
/** A piece of a large request is what goes in a tenth of a second, but not less or more than this. */
const PIECE_MIN: u64 = 64 << 10;
const PIECE_MAX: u64 = 1 << 20;
/** How often files with rates are looked at while there are requests: 250 ms. */
const LOOK: i64 = 250_000_000;
/** The longest and shortest that a timer waits: 1 s, 1 ms. */
const WAIT_MAX: f64 = 1e9;
const WAIT_MIN: f64 = 1e6;

/** A client, with a bucket for each direction behind it. */
@unmanaged
class Client {
  next: usize;
  /** Requests of it that stand in line, by direction. */
  readsWaiting: i32;
  writesWaiting: i32;
}
const CLIENT_BYTES: usize = 64;

/** A request that stands in line, or whose last piece is under way. */
@unmanaged
class Waiting extends Task {
  next: usize;
  client: usize;
  direction: i32;
  request: i32;
  flags: i32;
  errno: i32;
  count: u64;
  offset: u64;
  /** Bytes that have gone. */
  gone: u64;
  /** Pieces that are under way below. */
  left: i32;
  inLine: bool;
}

/** Bits per second and nanoseconds, as they were given. */
let rateAll: i64 = 0;
let rateEach: i64 = 0;
let burst: f64 = 2e9;

const buckets = memory.data(48);
let clients: usize = 0;
let first: usize = 0;
let last: usize = 0;
/** When the buckets were filled last, and files looked at. */
let filled: i64 = 0;
let looked: i64 = 0;
/** Token of the timer that is set; 0: none. */
let ticking: i32 = 0;

export function sb_param_int(index: i32, value: i64): void {
  if (index == 0) rateAll = value;
  else if (index == 1) rateEach = value;
  else burst = <f64>value;
}

export function sb_param_bytes(index: i32, bytes: usize, length: usize): void {
  follow(index == 3 ? 0 : 1, bytes, length);
}

export function sb_ready(): i32 {
  if (follows() && !hasFeature("read")) {
    return failWith(Errno.EPERM, "cannot read a rate from a file: allow that by --allow read=FILE");
  }
  filled = monotonic();
  looked = filled - LOOK;
  applyAll();
  return 0;
}

/** A file holds another rate, in bits per second. */
export function rateRead(which: i32, bits: i64): void {
  if (which) {
    rateEach = bits;
    for (let at = clients; at; at = changetype<Client>(at).next) applyEach(at);
  } else {
    rateAll = bits;
    applyAll();
  }
  if (first) advance();
}

function applyAll(): void {
  setRate(bucketAll(READ), <f64>rateAll / 8, burst);
  setRate(bucketAll(WRITE), <f64>rateAll / 8, burst);
}

function applyEach(client: usize): void {
  setRate(bucketOf(client, READ), <f64>rateEach / 8, burst);
  setRate(bucketOf(client, WRITE), <f64>rateEach / 8, burst);
}

// @ts-ignore: decorator
@inline
function bucketAll(direction: i32): Bucket {
  return changetype<Bucket>(buckets + <usize>direction * BUCKET_BYTES);
}

// @ts-ignore: decorator
@inline
function bucketOf(client: usize, direction: i32): Bucket {
  return changetype<Bucket>(client + 16 + <usize>direction * BUCKET_BYTES);
}

export function sb_open(name: usize, nameLength: usize, flags: i32): i32 {
  const client = alloc(CLIENT_BYTES, 8);
  if (!client) return -Errno.ENOMEM;
  memory.fill(client, 0, CLIENT_BYTES);
  const handle = openHandle(<u32>client);
  if (handle < 0) {
    free(client, CLIENT_BYTES);
    return -Errno.ENOMEM;
  }
  changetype<Client>(client).next = clients;
  clients = client;
  applyEach(client);
  return handle;
}

export function sb_close(handle: i32): void {
  const client = <usize>contextOf(handle);
  closeHandle(handle);
  let before: usize = 0;
  for (let at = clients; at != client; at = changetype<Client>(at).next) before = at;
  const next = changetype<Client>(client).next;
  if (before) changetype<Client>(before).next = next;
  else clients = next;
  free(client, CLIENT_BYTES);
}

export function sb_size(handle: i32): i64 {
  return nextSize(handle, 0);
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return go(READ, handle, request, count, offset, flags);
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  return go(WRITE, handle, request, count, offset, flags);
}

/** Lets a request go, if it may, or stand in line. */
function go(direction: i32, handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const client = <usize>contextOf(handle);
  const own = bucketOf(client, direction);
  const all = bucketAll(direction);
  if (!own.rate && !all.rate && !follows()) return pass(request, count, offset, flags);
  if (!ticking) {
    // All buckets were full, and what has not gone since then does not count.
    filled = monotonic();
    tick();
  }
  const queued = direction ? changetype<Client>(client).writesWaiting
    : changetype<Client>(client).readsWaiting;
  if (!queued && isOpen(own) && isOpen(all) && count <= pieceOf(own, all)) {
    take(own, count);
    take(all, count);
    return pass(request, count, offset, flags);
  }
  const one = begin<Waiting>(arrived);
  if (!one) return failWith(Errno.ENOMEM, "cannot hold the request back: no memory");
  one.client = client;
  one.direction = direction;
  one.request = request;
  one.flags = flags;
  one.count = count;
  one.offset = offset;
  const isFirst = !first;
  queue(one, 1);
  // Not from within the call: the timer lets it go, and is set for that now.
  if (isFirst) {
    if (ticking && cancel(ticking)) end(taskOf<Task>(ticking));
    ticking = 0;
    tick();
  }
  return PENDING;
}

/** Bytes that go at once at most. */
function pieceOf(own: Bucket, all: Bucket): u64 {
  let rate = own.rate;
  if (!rate || (all.rate && all.rate < rate)) rate = all.rate;
  if (!rate) return u64.MAX_VALUE;
  const piece = <u64>(rate / 10) & ~(PIECE_MIN - 1);
  return min(max(piece, PIECE_MIN), PIECE_MAX);
}

/** Puts a request at the end of the line. `by`: 1 where it comes there, 0 where it was in it. */
function queue(one: Waiting, by: i32): void {
  const at = changetype<usize>(one);
  one.next = 0;
  one.inLine = true;
  if (last) changetype<Waiting>(last).next = at;
  else first = at;
  last = at;
  countWaiting(one, by);
}

function countWaiting(one: Waiting, by: i32): void {
  const client = changetype<Client>(one.client);
  if (one.direction) client.writesWaiting += by;
  else client.readsWaiting += by;
}

/** Lets go what may, each request in line a piece in turn: who had one comes behind who had none. */
function advance(): void {
  for (let progress = true; progress && first;) {
    progress = false;
    let at = first;
    let firstHeld: usize = 0;
    let lastHeld: usize = 0;
    first = 0;
    last = 0;
    while (at) {
      const one = changetype<Waiting>(at);
      const next = one.next;
      if (mayGo(one)) {
        progress = true;
        step(one);
      } else {
        if (lastHeld) changetype<Waiting>(lastHeld).next = at;
        else firstHeld = at;
        lastHeld = at;
      }
      at = next;
    }
    if (!firstHeld) continue;
    changetype<Waiting>(lastHeld).next = first;
    first = firstHeld;
    if (!last) last = lastHeld;
  }
}

function mayGo(one: Waiting): bool {
  return isOpen(bucketOf(one.client, one.direction)) && isOpen(bucketAll(one.direction));
}

/** Lets the next piece of a request go; unless it was the last one, the request is in line again. */
function step(one: Waiting): void {
  const own = bucketOf(one.client, one.direction);
  const all = bucketAll(one.direction);
  const from = one.gone;
  const bytes = min(one.count - from, pieceOf(own, all));
  take(own, bytes);
  take(all, bytes);
  one.gone = from + bytes;
  const isLast = one.gone == one.count;
  if (isLast) {
    one.inLine = false;
    countWaiting(one, -1);
  }
  const status = nextForward(
    one.request,
    0,
    from,
    bytes,
    one.offset + from,
    one.flags,
    token(one),
  );
  if (status == PENDING) one.left++;
  else if (status) one.errno = status;
  // What has failed need not go on.
  if (one.errno && !isLast) {
    one.inLine = false;
    countWaiting(one, -1);
  }
  if (one.inLine) queue(one, 0);
  else if (!one.left) finish(one);
}

/** A piece is done. */
function arrived(at: i32, result: i32): void {
  const one = taskOf<Waiting>(at);
  if (result) one.errno = result;
  if (--one.left || one.inLine) return;
  finish(one);
}

function finish(one: Waiting): void {
  const request = one.request;
  const errno = one.errno;
  end(one);
  complete(request, errno);
}

/** Sets the timer for when the next piece may go, or for when buckets will be full. */
function tick(): void {
  const task = begin<Task>(ticked);
  if (!task) return;
  let delay = WAIT_MAX / 10;
  for (let at = first; at; at = changetype<Waiting>(at).next) {
    const one = changetype<Waiting>(at);
    const longest = max(
      wait(bucketOf(one.client, one.direction)),
      wait(bucketAll(one.direction)),
    );
    delay = min(delay, longest);
  }
  if (timer(<u64>max(delay, WAIT_MIN), token(task))) end(task);
  else ticking = token(task);
}

function ticked(at: i32, result: i32): void {
  end(taskOf<Task>(at));
  ticking = 0;
  const now = monotonic();
  const passed = <f64>(now - filled);
  filled = now;
  let full = refill(buckets, passed);
  for (let client = clients; client; client = changetype<Client>(client).next) {
    if (!refill(client + 16, passed)) full = false;
  }
  if (follows() && now - looked >= LOOK) {
    looked = now;
    look();
  }
  advance();
  if (first || !full) tick();
}

/** Fills the buckets of both directions. Returns whether they are full. */
function refill(pair: usize, passed: f64): bool {
  const reads = changetype<Bucket>(pair);
  const writes = changetype<Bucket>(pair + BUCKET_BYTES);
  fill(reads, passed);
  fill(writes, passed);
  return reads.tokens >= reads.capacity && writes.tokens >= writes.capacity;
}
