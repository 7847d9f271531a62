// SPDX-License-Identifier: MIT
// Requests without data in steps: some at a time, as there may be very many.

import {
  add,
  arrived,
  begin,
  complete,
  end,
  Errno,
  failWith,
  Join,
  nextCache,
  nextTrim,
  PENDING,
  taskOf,
  token,
} from "../../sdk/assemblyscript/assembly";

/** Steps that are under way at a time. */
export const WINDOW: i32 = 64;

/** What is done in steps. */
export const enum Kind {
  Trim = 0,
  Cache = 1,
}

/** A request in steps. */
@unmanaged
class Steps extends Join {
  request: i32;
  handle: i32;
  kind: i32;
  flags: i32;
  at: u64;
  stop: u64;
  step: u64;
}

/** Does what `kind` says from `start` to `stop`, at most `step` at a time. */
export function takeSteps(
  kind: i32,
  handle: i32,
  request: i32,
  start: u64,
  stop: u64,
  flags: i32,
  step: u64,
): i32 {
  const one = begin<Steps>(ended);
  if (!one) return failWith(Errno.ENOMEM, "cannot split a request: no memory");
  one.request = request;
  one.handle = handle;
  one.kind = kind;
  one.flags = flags;
  one.at = start;
  one.stop = stop;
  one.step = step;
  return go(one);
}

function go(one: Steps): i32 {
  while (one.at < one.stop && !one.errno) {
    for (let i = 0; i < WINDOW && one.at < one.stop && !one.errno; i++) {
      const length = min(one.stop - one.at, one.step);
      const at = one.at;
      one.at += length;
      add(one, ask(one, length, at));
    }
    if (one.left) return PENDING;
  }
  const errno = one.errno;
  end(one);
  return errno;
}

function ask(one: Steps, length: u64, at: u64): i32 {
  return one.kind == Kind.Trim
    ? nextTrim(one.handle, 0, length, at, one.flags, token(one))
    : nextCache(one.handle, 0, length, at, one.flags, token(one));
}

function ended(token: i32, result: i32): void {
  const one = taskOf<Steps>(token);
  if (!arrived(one, result)) return;
  const request = one.request;
  const status = go(one);
  if (status != PENDING) complete(request, status);
}
