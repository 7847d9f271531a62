// SPDX-License-Identifier: MIT
// A plugin that does everything a plugin may, correctly: two RAM disks that know which of their blocks
// are allocated, and answer reads in every way there is. The tests put faults into it.

import {
  allocZeroed,
  begin,
  CallFlag,
  closeHandle,
  complete,
  contextOf,
  DataFlag,
  end,
  Errno,
  exportAdd,
  exportDefault,
  extent,
  ExtentFlag,
  failWith,
  Info,
  metric,
  openHandle,
  PENDING,
  replyBuffer,
  replyData,
  replyZero,
  Support,
  Task,
  taskOf,
  timer,
  token,
  ZeroFlag,
} from "../../../../wasm-plugins/sdk/assemblyscript/assembly";
export { sb_alloc, sb_done, sb_free } from "../../../../wasm-plugins/sdk/assemblyscript/assembly";

const BLOCK: u64 = 4096;
/** Reads from this length on are answered later. */
const LATE: u64 = 60000;
const SCRATCH = String.UTF8.encode("scratch");

let size: u64 = 0;
let level: i64 = 0;
/** Both disks, and a byte for each of their blocks that says whether it is allocated. */
let disks: usize = 0;
let maps: usize = 0;
let blocks: u64 = 0;
let labels: i32 = 0;
let writes: i64 = 0;

export function sb_param_int(index: i32, value: i64): void {
  if (index == 0) size = value;
  else level = value;
}

export function sb_param_bytes(index: i32, bytes: usize, length: usize): void {
  labels += length > 0 ? load<u8>(bytes + length - 1) : 1;
}

export function sb_ready(): i32 {
  if (size > 1 << 28) return failWith(Errno.ENOMEM, "cannot make the disks: they are too large");
  blocks = (size + BLOCK - 1) / BLOCK;
  disks = allocZeroed(<usize>size * 2 + 16, 4096);
  maps = allocZeroed(<usize>blocks * 2 + 16, 16);
  return disks && maps ? 0 : failWith(Errno.ENOMEM, "cannot make the disks: no memory");
}

export function sb_connect(peer: usize, length: usize): i32 {
  return 0;
}

export function sb_list(): i32 {
  exportAdd(0, 0, 0, 0);
  exportAdd(changetype<usize>(SCRATCH), SCRATCH.byteLength, 0, 0);
  return 0;
}

export function sb_default(): i32 {
  exportDefault(0, 0);
  return 0;
}

export function sb_open(name: usize, length: usize, flags: i32): i32 {
  let disk: u32 = 0;
  if (length) {
    if (length != <usize>SCRATCH.byteLength) return -Errno.ENOENT;
    if (memory.compare(name, changetype<usize>(SCRATCH), length)) return -Errno.ENOENT;
    disk = 1;
  }
  const handle = openHandle(disk);
  return handle < 0 ? -failWith(Errno.ENOMEM, "cannot open more exports") : handle;
}

export function sb_close(handle: i32): void {
  closeHandle(handle);
}

export function sb_size(handle: i32): i64 {
  return size;
}

export function sb_describe(handle: i32): i32 {
  if (contextOf(handle)) exportAdd(0, 0, changetype<usize>(SCRATCH), SCRATCH.byteLength);
  else exportAdd(0, 0, 0, 0);
  return 0;
}

export function sb_info(handle: i32, info: Info): i32 {
  info.fua = Support.Native;
  info.fastZero = Support.Native;
  return 0;
}

/** Where the byte at `offset` of the disk lies that `handle` has open. */
function place(handle: i32, offset: u64): usize {
  return disks + <usize>(contextOf(handle) * size) + <usize>offset;
}

/** Where the mark of the block of `offset` lies. */
function mark(handle: i32, offset: u64): usize {
  return maps + <usize>(contextOf(handle) * blocks + offset / BLOCK);
}

/** Bytes from `offset` on, at most `count`, whose blocks are all allocated or all not. */
function run(handle: i32, offset: u64, count: u64): u64 {
  const first = load<u8>(mark(handle, offset));
  let next = offset + BLOCK - offset % BLOCK;
  while (next < offset + count && load<u8>(mark(handle, next)) == first) next += BLOCK;
  return min(next - offset, count);
}

function answer(handle: i32, request: i32, count: u64, offset: u64): i32 {
  for (let at: u64 = 0; at < count;) {
    const length = run(handle, offset + at, count - at);
    const from = place(handle, offset + at);
    if (!load<u8>(mark(handle, offset + at))) {
      replyZero(request, at, length, ZeroFlag.Hole);
    } else if (offset & 1) {
      const buffer = replyBuffer(request, at, length);
      if (!buffer) return failWith(Errno.ENOMEM, "cannot answer: no memory");
      memory.copy(buffer, from, <usize>length);
    } else {
      replyData(request, at, from, length, offset & 2 ? 0 : DataFlag.Stable);
    }
    at += length;
  }
  return 0;
}

@unmanaged
class Late extends Task {
  handle: i32;
  request: i32;
  count: u64;
  offset: u64;
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  if (count < LATE) return answer(handle, request, count, offset);
  const late = begin<Late>(answerLate);
  if (!late) return failWith(Errno.ENOMEM, "cannot answer later: no memory");
  late.handle = handle;
  late.request = request;
  late.count = count;
  late.offset = offset;
  const status = timer(1000, token(late));
  if (status) end(late);
  return status ? status : PENDING;
}

function answerLate(token: i32, result: i32): void {
  const late = taskOf<Late>(token);
  complete(late.request, answer(late.handle, late.request, late.count, late.offset));
  end(late);
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  memory.copy(place(handle, offset), data, <usize>count);
  for (let at = offset - offset % BLOCK; at < offset + count; at += BLOCK) {
    store<u8>(mark(handle, at), 1);
  }
  metric(0, ++writes);
  return 0;
}

export function sb_flush(handle: i32, request: i32, flags: i32): i32 {
  return 0;
}

/** Makes a range zero. Blocks that are zero as a whole are given back. */
function discard(handle: i32, count: u64, offset: u64): void {
  memory.fill(place(handle, offset), 0, <usize>count);
  const end = offset + count;
  const first = offset + (BLOCK - offset % BLOCK) % BLOCK;
  for (let at = first; at < end; at += BLOCK) {
    if (at + BLOCK <= end || end == size) store<u8>(mark(handle, at), 0);
  }
}

export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  discard(handle, count, offset);
  return 0;
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  if (flags & CallFlag.MayTrim) {
    discard(handle, count, offset);
    return 0;
  }
  // To allocate is not fast.
  if (flags & CallFlag.FastZero) return Errno.EOPNOTSUPP;
  memory.fill(place(handle, offset), 0, <usize>count);
  for (let at = offset - offset % BLOCK; at < offset + count; at += BLOCK) {
    store<u8>(mark(handle, at), 1);
  }
  return 0;
}

export function sb_secure_erase(
  handle: i32,
  request: i32,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  memory.fill(place(handle, offset), 0, <usize>count);
  return 0;
}

/** Swaps the first two bytes. */
export function sb_ioctl(
  handle: i32,
  request: i32,
  number: i32,
  argument: usize,
  length: usize,
): i32 {
  if (number != <i32>0xc0022a01) return Errno.ENOTTY;
  const first = load<u8>(argument);
  store<u8>(argument, load<u8>(argument + 1));
  store<u8>(argument + 1, first);
  return 0;
}

export function sb_cache(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return 0;
}

export function sb_extents(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  for (let at: u64 = 0; at < count;) {
    const length = run(handle, offset + at, count - at);
    const allocated = load<u8>(mark(handle, offset + at));
    extent(request, length, allocated ? 0 : ExtentFlag.Hole | ExtentFlag.Zero);
    if (flags & CallFlag.ReqOne) return 0;
    at += length;
  }
  return 0;
}

export function sb_stop(): void {
  size = 0;
}
