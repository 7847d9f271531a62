// SPDX-License-Identifier: MIT
// A cache in front of a device, in memory or in a file (README.md beside this folder). What is written stays
// here until a flush, a while has passed, or room is needed; what was not used for longest goes first.

import {
  alloc,
  begin,
  CallFlag,
  cancel,
  closeHandle,
  end,
  Errno,
  extent,
  ExtentFlag,
  fail,
  failWith,
  Info,
  infoOf,
  logLine,
  LogLevel,
  metric,
  nextForward,
  nextOpen,
  nextSize,
  openHandle,
  OpenFlag,
  PENDING,
  say,
  sayNumber,
  Support,
  Task,
  taskOf,
  timer,
  token,
} from "../../sdk/assemblyscript/assembly";
import { entryOf, spanEnd } from "../../lib/blocks/assembly/map";
import { setUpFetches } from "./fetches";
import { closeFile, hasFile, openFile, setPath, stopWaiting } from "./file";
import { flush, setUpFlushes } from "./flushes";
import { isInTheWay, Kind, operate } from "./operations";
import { answer, fetchesReads, setUpReads } from "./reads";
import { SLOTS_MAX } from "./slots";
import {
  blockBits,
  createStore,
  DIRTY,
  dirtyCount,
  evict,
  FETCHING,
  limit,
  onDisk,
  used,
  WRITING,
} from "./store";
import { cutsAbsent, put } from "./writes";
import { Metric, setUpWriteBack, writeAll } from "./writeback";

export { sb_alloc, sb_done, sb_free } from "../../sdk/assemblyscript/assembly";

/** Values of the parameter "cache". */
const enum Mode {
  WriteBack = 0,
  WriteThrough = 1,
  Unsafe = 2,
}

/** Parts that one answer about extents may have. */
const EXTENTS_MAX: i32 = 1024;
/** Blocks that one request takes out at most when there are too many. */
const RECLAIM: i32 = 64;

/** What of the parameters is bound by the address space of a cache in memory. */
const MEMORY_MAX: u64 = 3221225472;
const BLOCK_MIN: u64 = 4096;
const BLOCK_MAX: u64 = 1048576;

let mode: i32 = Mode.WriteBack;
/** 0: not given. */
let blockSize: u64 = 0;
let bytesMax: u64 = 0;
let highPpm: u64 = 950000;
let lowPpm: u64 = 800000;
let onRead = false;
let delay: u64 = 1_000_000_000;

let size: i64 = -1;
let exportName: usize = 0;
let exportNameLength: usize = 0;
let opened: i32 = 0;
/** Units in use from which on, and down to which, blocks are taken out, where `bound` units may be. */
let high: u64 = 0;
let low: u64 = 0;
let bound: u64 = 0;
let reclaiming = false;
/** Token of the timer that will have changes written back; 0: none is set. */
let ticking: i32 = 0;
let hits: i64 = 0;
let misses: i64 = 0;

export function sb_param_int(index: i32, value: i64): void {
  if (index == 0) mode = <i32>value;
  else if (index == 1) blockSize = value;
  else if (index == 2) bytesMax = value;
  else if (index == 3) highPpm = value;
  else if (index == 4) lowPpm = value;
  else if (index == 5) onRead = value != 0;
  else delay = value;
}

export function sb_ready(): i32 {
  if (blockSize & (blockSize - 1)) {
    say("cannot use blocks of ");
    sayNumber(blockSize);
    return failWith(Errno.EINVAL, " bytes: cache-min-block-size must be a power of two");
  }
  if (lowPpm >= highPpm) {
    return failWith(
      Errno.EINVAL,
      "cannot reclaim: cache-low-threshold must be less than cache-high-threshold",
    );
  }
  if (!bytesMax) bytesMax = hasFile() ? 1 << 30 : 64 << 20;
  if (hasFile()) return openFile();
  if (bytesMax <= MEMORY_MAX) return 0;
  return failWith(
    Errno.EINVAL,
    "cannot keep more than 3G in memory; with cache-file the cache can be larger",
  );
}

export function sb_param_bytes(index: i32, pointer: usize, length: usize): void {
  setPath(pointer, length);
}

export function sb_open(name: usize, nameLength: usize, flags: i32): i32 {
  if (size < 0 && nameLength && !exportName) {
    exportName = alloc(nameLength, 1);
    if (!exportName) return -Errno.ENOMEM;
    memory.copy(exportName, name, nameLength);
    exportNameLength = nameLength;
  }
  if (nameLength != exportNameLength || memory.compare(name, exportName, nameLength)) {
    return -failWith(Errno.EBUSY, "cannot open a second export: the cache belongs to the first");
  }
  const handle = openHandle(0);
  if (handle < 0) return -Errno.ENOMEM;
  opened++;
  return handle;
}

/** Without clients there is time to write. */
export function sb_close(handle: i32): void {
  closeHandle(handle);
  if (!--opened && mode != Mode.Unsafe && dirtyCount) writeAll();
}

export function sb_size(handle: i32): i64 {
  if (size < 0) {
    const errno = setUp(handle);
    if (errno) return -errno;
  }
  return size;
}

/** The first export is open: makes the cache, and a handle of its own below. */
function setUp(handle: i32): i32 {
  const below = nextSize(handle, 0);
  const info = infoOf(handle, 0);
  const maximum = info.blockMaximum;
  const bytes = max(blockSize ? blockSize : usualBlock(), <u64>info.blockMinimum);
  if (bytes > <u64>maximum || bytes > bytesMax) {
    say("cannot cache blocks of ");
    sayNumber(bytes);
    say(" bytes: the device below takes at most ");
    sayNumber(maximum);
    say(" at a time, and the cache holds ");
    sayNumber(bytesMax);
    return fail(Errno.EINVAL);
  }
  if (hasFile() && bytesMax / bytes > SLOTS_MAX) {
    say("cannot cache blocks of ");
    sayNumber(bytes);
    say(" bytes in ");
    sayNumber(bytesMax);
    say(": that is more than ");
    sayNumber(SLOTS_MAX);
    return failWith(Errno.EINVAL, " blocks; larger ones are needed (cache-min-block-size)");
  }
  let own = nextOpen(exportName, exportNameLength, 0);
  if (own < 0) own = nextOpen(exportName, exportNameLength, OpenFlag.ReadOnly);
  if (own < 0) return -own;
  if (!createStore(below, <u32>ctz(bytes), bytesMax, hasFile())) {
    return failWith(Errno.ENOMEM, "cannot set up the cache: no memory");
  }
  setUpFetches(own, maximum);
  setUpReads(onRead);
  setUpFlushes(own, infoOf(own, 0).flush != Support.None);
  setUpWriteBack(own, maximum);
  size = below;
  return 0;
}

/** The size of a block where none is given: in a file so large that there are not too many. */
function usualBlock(): u64 {
  let bytes = BLOCK_MIN;
  while (hasFile() && bytes < BLOCK_MAX && bytesMax / bytes > SLOTS_MAX) bytes <<= 1;
  return bytes;
}

export function sb_info(handle: i32, out: usize): i32 {
  const info = changetype<Info>(out);
  const child = infoOf(handle, 0);
  const bytes = max(blockSize ? blockSize : usualBlock(), <u64>info.blockMinimum);
  if (bytes <= <u64>info.blockMaximum) info.blockPreferred = max(info.blockPreferred, <u32>bytes);
  info.write = child.write;
  info.flush = Support.Native;
  // A write that has to be durable goes below at once.
  info.fua = child.fua ? Support.Native : Support.Emulate;
  info.cache = Support.Native;
  if (!child.write) info.zero = Support.None;
  if (!info.zero) info.fastZero = Support.None;
  info.multiConn = Support.Native;
  return 0;
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  if (isPlain(offset, count) && !onDisk) {
    return answer(request, count, offset, flags, 0, null);
  }
  const status = operate(Kind.Read, handle, request, 0, count, offset, flags);
  reclaim();
  return status;
}

/** Whether a read can be answered as things are: nothing is coming, and nothing is to be fetched. */
function isPlain(offset: u64, count: u64): bool {
  const last = (offset + count - 1) >> blockBits;
  let complete = true;
  for (let block = offset >> blockBits; block <= last; block = spanEnd) {
    const entry = entryOf(block);
    if (entry & FETCHING) return false;
    if (!entry) complete = false;
  }
  if (complete) hits++;
  else misses++;
  return complete || !fetchesReads;
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  if (mode == Mode.WriteThrough || (flags & CallFlag.Fua && mode != Mode.Unsafe)) {
    return operate(Kind.Through, handle, request, data, count, offset, flags);
  }
  const first = offset >> blockBits;
  const last = (offset + count - 1) >> blockBits;
  // Mostly nothing is in the way.
  const plain = !onDisk && last - first < limit() >> 1 && !isInTheWay(first, last) &&
    !cutsAbsent(first, last, offset, count) && put(offset, count, data, true);
  const status = plain ? 0 : operate(Kind.Write, handle, request, data, count, offset, flags);
  if (!ticking && dirtyCount) tick();
  if (reclaiming || isFull()) reclaim();
  return status;
}

export function sb_flush(handle: i32, request: i32, flags: i32): i32 {
  if (mode == Mode.Unsafe) return 0;
  tell();
  return flush(request);
}

export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return operate(Kind.Trim, handle, request, 0, count, offset, flags);
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return operate(Kind.Zero, handle, request, 0, count, offset, flags);
}

export function sb_cache(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const status = operate(Kind.Cache, handle, request, 0, count, offset, flags);
  reclaim();
  return status;
}

/** What has changed here is data, whatever is below. */
export function sb_extents(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const stop = offset + count;
  let left = flags & CallFlag.ReqOne ? 1 : EXTENTS_MAX;
  let pending = false;
  for (let at = offset; at < stop && left; left--) {
    const changed = isChanged(at);
    let next = min(spanEnd << blockBits, stop);
    while (next < stop && isChanged(next) == changed) next = min(spanEnd << blockBits, stop);
    if (changed) extent(request, next - at, ExtentFlag.Data);
    else {
      const status = nextForward(request, 0, at - offset, next - at, at, flags, 0);
      if (status == PENDING) pending = true;
      else if (status) return status;
    }
    at = next;
  }
  return pending ? PENDING : 0;
}

// @ts-ignore: decorator
@inline
function isChanged(offset: u64): bool {
  return (entryOf(offset >> blockBits) & (DIRTY | WRITING)) != 0;
}

/** No client is left: what has changed is to be below before the server ends. */
export function sb_finish(): void {
  if (ticking && cancel(ticking)) end(taskOf<Task>(ticking));
  stopWaiting();
  flush(-1);
}

/** Whether there are so many blocks that some are to be taken out. */
// @ts-ignore: decorator
@inline
function isFull(): bool {
  if (limit() != bound) setBound(limit());
  return used() > high;
}

function setBound(units: u64): void {
  bound = units;
  high = units * highPpm / 1_000_000;
  low = units * lowPpm / 1_000_000;
}

/** Takes blocks out when there are too many, until there are few enough. */
function reclaim(): void {
  if (isFull()) reclaiming = true;
  if (!reclaiming) return;
  const excess = used() > low ? used() - low : 0;
  const evicted = evict(<i32>min(excess, <u64>RECLAIM));
  if (used() <= low) reclaiming = false;
  else if (!evicted && dirtyCount) writeAll();
}

/** Has changes written back after a while. */
function tick(): void {
  if (mode != Mode.WriteBack) return;
  const task = begin<Task>(ticked);
  if (!task) return;
  if (timer(delay, token(task))) end(task);
  else ticking = token(task);
}

function ticked(at: i32, result: i32): void {
  end(taskOf<Task>(at));
  ticking = 0;
  tell();
  if (!dirtyCount) return;
  writeAll();
  // What could not be written is tried again.
  if (dirtyCount) tick();
}

/** Brings the metrics up to date. */
function tell(): void {
  metric(Metric.Cached, used() << blockBits);
  metric(Metric.Dirty, dirtyCount << blockBits);
  metric(Metric.Hits, hits);
  metric(Metric.Misses, misses);
}

export function sb_stop(): void {
  closeFile();
  if (!dirtyCount) return;
  say("the changes in ");
  sayNumber(dirtyCount << blockBits);
  say(" bytes of the cache are lost");
  logLine(LogLevel.Error);
}
