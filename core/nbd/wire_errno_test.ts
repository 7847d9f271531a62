// SPDX-License-Identifier: MIT
// Errors of devices as clients are told of them.

import assert from "node:assert/strict";
import { Errno, ERRNO_MAX } from "../block/errno.ts";
import { Command } from "../block/request.ts";
import { CommandFlag, WireErrno } from "./wire.ts";
import { wireErrno } from "./wire_errno.ts";

const { Read, Write, WriteZeroes } = Command;
const allowed = new Set<number>(Object.values(WireErrno));

Deno.test("only the eight errors of the protocol go on the wire, whatever a device says", () => {
  const odd = [-1, 0.5, NaN, Infinity, ERRNO_MAX + 1, 1e20];
  for (const errno of [...Array(ERRNO_MAX + 1).keys()].slice(1).concat(odd)) {
    for (const command of Object.values(Command)) {
      assert.ok(allowed.has(wireErrno(errno, command, 0)), `errno ${errno}`);
    }
  }
});

Deno.test("errors that mean the same are told as the one the protocol has", () => {
  const pairs = [
    [Errno.EDQUOT, WireErrno.ENOSPC],
    [Errno.EFBIG, WireErrno.ENOSPC],
    [Errno.EROFS, WireErrno.EPERM],
    [Errno.EACCES, WireErrno.EPERM],
    [Errno.ENOBUFS, WireErrno.ENOMEM],
    [Errno.ERANGE, WireErrno.EINVAL],
    [Errno.EAGAIN, WireErrno.EIO],
    [Errno.ENXIO, WireErrno.EIO],
    [Errno.ENOSPC, WireErrno.ENOSPC],
    [Errno.ESHUTDOWN, WireErrno.ESHUTDOWN],
  ];
  for (const [errno, expected] of pairs) assert.equal(wireErrno(errno!, Write, 0), expected);
});

Deno.test("ENOTSUP is for WRITE_ZEROES with FAST_ZERO alone", () => {
  const errno = Errno.EOPNOTSUPP;
  assert.equal(wireErrno(errno, WriteZeroes, CommandFlag.FastZero), WireErrno.ENOTSUP);
  assert.equal(wireErrno(errno, WriteZeroes, CommandFlag.NoHole), WireErrno.EINVAL);
  assert.equal(wireErrno(errno, Command.Trim, CommandFlag.FastZero), WireErrno.EINVAL);
});

Deno.test("EOVERFLOW is for requests that could be tried smaller, not for writes", () => {
  assert.equal(wireErrno(Errno.EOVERFLOW, Read, 0), WireErrno.EOVERFLOW);
  assert.equal(wireErrno(Errno.EOVERFLOW, Write, 0), WireErrno.EINVAL);
});
