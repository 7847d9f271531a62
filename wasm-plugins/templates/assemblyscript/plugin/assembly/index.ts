// A RAM disk: sandblock serve ./@name@.wasm size=64M

import { allocZeroed, DataFlag, Errno, failWith, getSize, replyData, setSize } from "./sandblock";
export { sb_alloc, sb_free, sb_open, sb_size } from "./sandblock";

let disk: usize = 0;

export function sb_param_int(index: i32, value: i64): void {
  setSize(value);
}

export function sb_ready(): i32 {
  if (getSize() < 1 << 31) disk = allocZeroed(<usize>getSize(), 4096);
  return disk ? 0 : failWith(Errno.ENOMEM, "cannot allocate the disk: it is too large");
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  replyData(request, 0, disk + <usize>offset, count, DataFlag.Stable);
  return 0;
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  memory.copy(disk + <usize>offset, data, <usize>count);
  return 0;
}
