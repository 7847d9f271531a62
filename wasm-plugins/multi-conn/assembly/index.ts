// SPDX-License-Identifier: MIT
// A flush on one connection covers what was written on all (README.md beside this folder): where what is
// below does not see to that, it is flushed on every connection.

import {
  add,
  arrived,
  begin,
  closeHandle,
  complete,
  end,
  Errno,
  failWith,
  handlesEnd,
  Info,
  infoOf,
  isOpen,
  Join,
  nextFlush,
  openHandle,
  pass,
  PENDING,
  Support,
  taskOf,
  token,
} from "../../sdk/assemblyscript/assembly";

export { sb_alloc, sb_done, sb_free } from "../../sdk/assemblyscript/assembly";

/** Values of multi-conn-mode by position. */
const enum Mode {
  Auto = 0,
  Emulate = 1,
  Disable = 2,
  Plugin = 3,
  Unsafe = 4,
}

/** A flush that was made many. */
@unmanaged
class Flush extends Join {
  request: i32;
}

let mode: i32 = Mode.Auto;

export function sb_param_int(index: i32, value: i64): void {
  mode = <i32>value;
}

export function sb_open(name: usize, nameLength: usize, flags: i32): i32 {
  const handle = openHandle(0);
  return handle < 0 ? -Errno.ENOMEM : handle;
}

export function sb_close(handle: i32): void {
  closeHandle(handle);
}

/** Whether an export is flushed on all connections. */
function emulates(handle: i32): bool {
  return mode == Mode.Emulate || (mode == Mode.Auto && infoOf(handle, 0).multiConn == Support.None);
}

export function sb_info(handle: i32, out: usize): i32 {
  const info = changetype<Info>(out);
  if (mode == Mode.Disable) info.multiConn = Support.None;
  else if (mode == Mode.Unsafe) info.multiConn = Support.Native;
  if (!emulates(handle)) return 0;
  if (info.write != Support.None && info.flush == Support.None) {
    if (mode == Mode.Auto) return 0;
    return failWith(Errno.EINVAL, "cannot emulate multi-conn: what is below cannot flush");
  }
  info.multiConn = Support.Native;
  // Durable writes are followed by such a flush.
  if (info.fua != Support.None) info.fua = Support.Emulate;
  return 0;
}

export function sb_flush(handle: i32, request: i32, flags: i32): i32 {
  if (!emulates(handle)) return pass(request, 0, 0, flags);
  const flush = begin<Flush>(flushed);
  if (!flush) return failWith(Errno.ENOMEM, "cannot flush: no memory");
  flush.request = request;
  for (let one = 0; one < handlesEnd(); one++) {
    if (isOpen(one) && infoOf(one, 0).flush != Support.None) {
      add(flush, nextFlush(one, 0, flags, token(flush)));
    }
  }
  return flush.left ? PENDING : finish(flush);
}

function flushed(token: i32, result: i32): void {
  const flush = taskOf<Flush>(token);
  if (!arrived(flush, result)) return;
  const request = flush.request;
  complete(request, finish(flush));
}

function finish(flush: Flush): i32 {
  const errno = flush.errno;
  end(flush);
  return errno;
}
