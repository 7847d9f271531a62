// SPDX-License-Identifier: MIT
// RAM disk with zones that are written in order (README.md beside this folder).

import {
  declareImmediate,
  Errno,
  fail,
  failWith,
  getSize,
  Info,
  reportZone,
  reserve,
  say,
  sayNumber,
  setSize,
  Support,
  zoneAppended,
  ZoneCondition,
  Zones,
  ZoneType,
} from "../../sdk/assemblyscript/assembly";
import { answerRead } from "../../lib/sparse/assembly/answer";
import {
  createStore,
  discard,
  write,
} from "../../lib/sparse/assembly/store";
import {
  beginWrite,
  closeZone,
  conditionOf,
  createZones,
  endWrite,
  finishZone,
  isConventional,
  openZone,
  resetZone,
  writtenOf,
} from "./zones";

export {
  sb_alloc,
  sb_cache,
  sb_flush,
  sb_free,
  sb_open,
  sb_size,
} from "../../sdk/assemblyscript/assembly";

/** Address space that data never takes, so that a full disk can still be read and reset. */
const HOST_RESERVE: usize = 64 << 20;
/** Their records take 16 MiB. */
const ZONES_MAX: u64 = 1 << 20;
/** Largest append, unless said otherwise. */
const APPEND: u64 = 128 << 10;

let zoneSize: u64 = 0;
let zoneBits: u64 = 0;
let capacity: u64 = 0;
let conventional: u64 = 0;
let maxOpen: u32 = 0;
let maxActive: u32 = 0;
let maxAppend: u32 = 0;
let blockSize: u32 = 0;

export function sb_param_int(index: i32, value: i64): void {
  switch (index) {
    case 0:
      return setSize(value);
    case 1:
      zoneSize = value;
      return;
    case 2:
      capacity = value;
      return;
    case 3:
      conventional = value;
      return;
    case 4:
      maxOpen = <u32>value;
      return;
    case 5:
      maxActive = <u32>value;
      return;
    case 6:
      maxAppend = <u32>value;
      return;
    default:
      blockSize = <u32>value;
  }
}

export function sb_ready(): i32 {
  const errno = check();
  if (errno) return errno;
  reserve(HOST_RESERVE);
  const zones = zonesOf(getSize());
  return createStore(getSize()) && createZones(zones, capacity, conventional, maxOpen, maxActive)
    ? 0
    : failWith(Errno.ENOMEM, "cannot set up the disk: no memory");
}

/** Whether the parameters go together. 0, or an error number. */
function check(): i32 {
  if (popcnt(zoneSize) != 1) return wrong("zone-size", zoneSize, "it is no power of two");
  zoneBits = ctz(zoneSize);
  if (blockSize != 512 && blockSize != 4096) {
    return wrong("block-size", blockSize, "it is 512 or 4096");
  }
  const size = <u64>getSize();
  if (!size || size & (zoneSize - 1)) {
    return wrong("size", size, "it is no whole number of zones");
  }
  if (zonesOf(size) > ZONES_MAX) {
    return wrong("zone-size", zoneSize, "the disk has more than 1048576 zones of that");
  }
  if (!capacity) capacity = zoneSize;
  if (capacity > zoneSize || capacity % blockSize) {
    return wrong("zone-capacity", capacity, "it is more than a zone, or no whole blocks");
  }
  if (conventional > zonesOf(size)) {
    return wrong("conventional", conventional, "the disk has less zones");
  }
  if (maxActive && maxOpen > maxActive) {
    return wrong("max-open", maxOpen, "it is more than max-active");
  }
  if (!maxAppend) maxAppend = <u32>min(capacity, APPEND);
  if (maxAppend > capacity || maxAppend % blockSize) {
    return wrong("max-append", maxAppend, "it is more than a zone takes, or no whole blocks");
  }
  return 0;
}

function wrong(name: string, value: u64, fact: string): i32 {
  say("cannot use ");
  say(name);
  say("=");
  sayNumber(value);
  say(": ");
  say(fact);
  return fail(Errno.EINVAL);
}

function zonesOf(bytes: u64): u64 {
  return bytes >> zoneBits;
}

export function sb_info(handle: i32, out: usize): i32 {
  const info = changetype<Info>(out);
  declareImmediate(info);
  info.blockMinimum = blockSize;
  // Zeroes are written as data, in order.
  info.zero = Support.None;
  info.fastZero = Support.None;
  return 0;
}

export function sb_zones(handle: i32, out: usize): i32 {
  const zones = changetype<Zones>(out);
  zones.zoneSize = zoneSize;
  zones.zoneCapacity = capacity;
  zones.maxOpen = maxOpen;
  zones.maxActive = maxActive;
  zones.maxAppend = maxAppend;
  return 0;
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return answerRead(request, count, offset);
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  const zone = zonesOf(offset);
  const last = zonesOf(offset + count - 1);
  if (isConventional(last)) return keep(data, count, offset);
  if (zone != last) return failWith(Errno.EIO, "cannot write across the border of a zone");
  const pointer = (zone << zoneBits) + writtenOf(zone);
  if (offset != pointer && conditionOf(zone) != ZoneCondition.Full) {
    say("cannot write at ");
    sayNumber(offset);
    say(": the zone is to be written at ");
    sayNumber(pointer);
    return fail(Errno.EIO);
  }
  return storeNext(zone, data, count, offset);
}

export function sb_zone_append(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  const zone = zonesOf(offset);
  if (isConventional(zone)) return failWith(Errno.EIO, "cannot append to a conventional zone");
  const pointer = offset + writtenOf(zone);
  const errno = storeNext(zone, data, count, pointer);
  if (!errno) zoneAppended(request, pointer);
  return errno;
}

/** Stores what is written to a sequential zone at its write pointer. */
function storeNext(zone: u64, data: usize, count: u64, offset: u64): i32 {
  let errno = beginWrite(zone, count);
  if (errno) return errno;
  errno = keep(data, count, offset);
  // Behind the write pointer there are zeroes.
  if (errno) discard(offset, count);
  endWrite(zone, errno ? 0 : count);
  return errno;
}

function keep(data: usize, count: u64, offset: u64): i32 {
  if (write(offset, count, data)) return 0;
  return failWith(Errno.ENOSPC, "cannot store data: the memory of the plugin is used up");
}

export function sb_zone_report(
  handle: i32,
  request: i32,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  for (let at = offset; at < offset + count; at += zoneSize) {
    const zone = zonesOf(at);
    if (isConventional(zone)) {
      const none = ZoneCondition.NotWritePointer;
      reportZone(request, at, zoneSize, zoneSize, at, ZoneType.Conventional, none);
    } else {
      const pointer = at + writtenOf(zone);
      const condition = conditionOf(zone);
      reportZone(request, at, zoneSize, capacity, pointer, ZoneType.Sequential, condition);
    }
  }
  return 0;
}

function noConventional(zone: u64): i32 {
  if (!isConventional(zone)) return 0;
  return failWith(Errno.EIO, "cannot do this to a conventional zone");
}

export function sb_zone_open(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const zone = zonesOf(offset);
  return noConventional(zone) || openZone(zone);
}

export function sb_zone_close(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const zone = zonesOf(offset);
  return noConventional(zone) || closeZone(zone);
}

export function sb_zone_finish(
  handle: i32,
  request: i32,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  const zone = zonesOf(offset);
  return noConventional(zone) || finishZone(zone);
}

/** One zone, or all: then those are left alone that have nothing to be reset. */
export function sb_zone_reset(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const first = zonesOf(offset);
  if (count == zoneSize && isConventional(first)) return noConventional(first);
  const from = max(first, conventional);
  const end = zonesOf(offset + count);
  if (from < end) discard(from << zoneBits, (end - from) << zoneBits);
  for (let zone = from; zone < end; zone++) resetZone(zone);
  return 0;
}
