// SPDX-License-Identifier: MIT
// Devices one behind the other (README.md beside this folder). A request is cut where a device ends, and
// each piece is forwarded to its device.

import {
  alloc,
  CallFlag,
  closeHandle,
  contextOf,
  Errno,
  fail,
  failWith,
  free,
  infoOf,
  nextCount,
  nextForward,
  nextSize,
  openHandle,
  PENDING,
  say,
  sayNumber,
} from "../../sdk/assemblyscript/assembly";

export { sb_alloc, sb_free } from "../../sdk/assemblyscript/assembly";

/** Where each device ends on the disk, as u64 in order; one such table for each handle. */
function tableBytes(): usize {
  return <usize>nextCount() << 3;
}

// @ts-ignore: decorator
@inline
function endOf(table: usize, child: i32): u64 {
  return load<u64>(table + (<usize>child << 3));
}

export function sb_open(name: usize, nameLength: usize, flags: i32): i32 {
  const table = alloc(tableBytes(), 8);
  if (!table) return -failWith(Errno.ENOMEM, "cannot open the export: no memory");
  const handle = openHandle(<u32>table);
  if (handle >= 0) return handle;
  free(table, tableBytes());
  return -failWith(Errno.ENOMEM, "cannot open the export: too many are open");
}

export function sb_close(handle: i32): void {
  free(contextOf(handle), tableBytes());
  closeHandle(handle);
}

/** The sum of all sizes. Called once for each handle, before any request. */
export function sb_size(handle: i32): i64 {
  const table = <usize>contextOf(handle);
  const count = nextCount();
  let block: u64 = 1;
  for (let child = 0; child < count; child++) {
    block = max(block, <u64>infoOf(handle, child).blockMinimum);
  }
  let total: u64 = 0;
  for (let child = 0; child < count; child++) {
    const size = <u64>nextSize(handle, child);
    total += size;
    if (total > <u64>i64.MAX_VALUE) {
      return -failWith(Errno.EFBIG, "cannot join the devices: together they are larger than 2^63-1 bytes");
    }
    if (child < count - 1 && size % block) return -ragged(child, size, block);
    store<u64>(table + (<usize>child << 3), total);
  }
  return total;
}

/** Blocks of the disk would be parts of two blocks behind such a device. */
function ragged(child: i32, size: u64, block: u64): i32 {
  say("cannot join the devices: device ");
  sayNumber(child);
  say(" has ");
  sayNumber(size);
  say(" bytes, which are not whole blocks of ");
  sayNumber(block);
  return fail(Errno.EINVAL);
}

/** The device that the byte at `offset` is on. */
function childAt(table: usize, offset: u64): i32 {
  let low = 0;
  let high = nextCount() - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (endOf(table, middle) > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Forwards what a request asks for, device by device, or of the first device only. */
function spread(
  handle: i32,
  request: i32,
  count: u64,
  offset: u64,
  flags: i32,
  firstOnly: boolean = false,
): i32 {
  const table = <usize>contextOf(handle);
  let child = childAt(table, offset);
  let start: u64 = child ? endOf(table, child - 1) : 0;
  let result = 0;
  for (let at: u64 = 0; at < count; child++) {
    const end = endOf(table, child);
    const length = min(count - at, end - (offset + at));
    if (length) {
      const status = nextForward(request, child, at, length, offset + at - start, flags, 0);
      if (status == PENDING) result = PENDING;
      else if (status) return status;
      if (firstOnly) break;
    }
    at += length;
    start = end;
  }
  return result;
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return spread(handle, request, count, offset, flags);
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  return spread(handle, request, count, offset, flags);
}

export function sb_flush(handle: i32, request: i32, flags: i32): i32 {
  let result = 0;
  for (let child = 0; child < nextCount(); child++) {
    const status = nextForward(request, child, 0, 0, 0, flags, 0);
    if (status == PENDING) result = PENDING;
    else if (status) return status;
  }
  return result;
}

export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return spread(handle, request, count, offset, flags);
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  // Fast zeroes must not change anything where they fail, but one device cannot know of the next one.
  const end = endOf(<usize>contextOf(handle), childAt(<usize>contextOf(handle), offset));
  if (flags & CallFlag.FastZero && count > end - offset) {
    return failWith(Errno.EOPNOTSUPP, "cannot zero at once: the range goes on on another device");
  }
  return spread(handle, request, count, offset, flags);
}

export function sb_cache(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return spread(handle, request, count, offset, flags);
}

export function sb_extents(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return spread(handle, request, count, offset, flags, (flags & CallFlag.ReqOne) != 0);
}
