// SPDX-License-Identifier: MIT
// Block status of a striped disk: every device is asked for its part of the range, and when all have
// answered, their extents are dealt out again in the order of the disk.

import {
  add,
  alloc,
  arrived,
  begin,
  CallFlag,
  complete,
  end,
  Errno,
  extent,
  ExtentList,
  failWith,
  free,
  Join,
  nextCount,
  nextExtents,
  PENDING,
  taskOf,
  token,
} from "../../sdk/assemblyscript/assembly";
import { chunk, lengthOn, startOn } from "./layout";

/** Extents that each device is asked for, and that are told at most. */
const EACH_MAX: u32 = 256;
const TOLD_MAX: i32 = 16384;
const LIST_BYTES: usize = 8 + 16 * <usize>EACH_MAX;

/** The extents of one device, and how far they are used up. The list lies behind it. */
@unmanaged
class Source {
  /** Bytes left of the extent before `index`, and its flags. */
  left: u64;
  flags: i32;
  index: u32;
}

const SOURCE_BYTES: usize = offsetof<Source>() + LIST_BYTES;

/** A request for extents. */
@unmanaged
class Asking extends Join {
  request: i32;
  one: i32;
  count: u64;
  offset: u64;
  /** A Source for each device. */
  sources: usize;
}

export function sb_extents(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  const sources = alloc(<usize>nextCount() * SOURCE_BYTES, 8);
  const asking = sources ? begin<Asking>(answered) : null;
  if (!asking) {
    if (sources) free(sources, <usize>nextCount() * SOURCE_BYTES);
    return failWith(Errno.ENOMEM, "cannot tell what is allocated: no memory");
  }
  asking.request = request;
  asking.one = flags & CallFlag.ReqOne;
  asking.count = count;
  asking.offset = offset;
  asking.sources = sources;
  for (let child = 0; child < nextCount(); child++) {
    const source = changetype<Source>(sources + <usize>child * SOURCE_BYTES);
    source.left = 0;
    source.index = 0;
    const list = listOf(source);
    list.capacity = EACH_MAX;
    list.count = 0;
    const length = lengthOn(child, offset, count);
    if (!length) continue;
    const address = changetype<usize>(list);
    add(asking, nextExtents(handle, child, address, length, startOn(child, offset), 0, token(asking)));
  }
  return asking.left ? PENDING : finish(asking);
}

function answered(token: i32, result: i32): void {
  const asking = taskOf<Asking>(token);
  if (!arrived(asking, result)) return;
  const request = asking.request;
  complete(request, finish(asking));
}

function finish(asking: Asking): i32 {
  const errno = asking.errno;
  if (!errno) deal(asking);
  free(asking.sources, <usize>nextCount() * SOURCE_BYTES);
  end(asking);
  return errno;
}

/** Tells the extents of all devices in the order of the disk, as far as they are known. */
function deal(asking: Asking): void {
  const children = nextCount();
  const row = chunk * children;
  const stop = asking.offset + asking.count;
  let length: u64 = 0;
  let flags = 0;
  let told = 0;
  for (let at = asking.offset; at < stop;) {
    const source = sourceAt(asking, <i32>(at / chunk % children));
    if (!refill(source)) break;
    let step = min(min(chunk - at % chunk, stop - at), source.left);
    const whole = at % row == 0 ? sameRows(asking, (stop - at) / row) : 0;
    if (whole) {
      step = whole * row;
      for (let child = 0; child < children; child++) sourceAt(asking, child).left -= whole * chunk;
    } else source.left -= step;
    if (length && source.flags != flags) {
      extent(asking.request, length, flags);
      length = 0;
      if (asking.one || ++told == TOLD_MAX) return;
    }
    flags = source.flags;
    length += step;
    at += step;
  }
  if (length) extent(asking.request, length, flags);
}

/** Of how many rows from here on, up to `most`, all chunks are in the same state. */
function sameRows(asking: Asking, most: u64): u64 {
  const flags = sourceAt(asking, 0).flags;
  let rows = most;
  for (let child = 0; rows && child < nextCount(); child++) {
    const source = sourceAt(asking, child);
    if (!refill(source) || source.flags != flags) return 0;
    rows = min(rows, source.left / chunk);
  }
  return rows;
}

/** Goes on to the next extent of a device where one is used up. False where no more are known. */
function refill(source: Source): bool {
  while (!source.left) {
    const list = listOf(source);
    if (source.index >= list.count) return false;
    source.left = list.lengthAt(source.index);
    source.flags = list.flagsAt(source.index);
    source.index++;
  }
  return true;
}

function sourceAt(asking: Asking, child: i32): Source {
  return changetype<Source>(asking.sources + <usize>child * SOURCE_BYTES);
}

function listOf(source: Source): ExtentList {
  return changetype<ExtentList>(changetype<usize>(source) + offsetof<Source>());
}
