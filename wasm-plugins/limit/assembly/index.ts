// SPDX-License-Identifier: MIT
// Limits how many clients there are at a time (README.md beside this folder). It counts exports that are
// open; requests go past it.

import {
  closeHandle,
  contextOf,
  Errno,
  fail,
  openHandle,
  peer,
  say,
  sayNumber,
} from "../../sdk/assemblyscript/assembly";

export { sb_alloc, sb_free } from "../../sdk/assemblyscript/assembly";

let most: i64 = 1;
let clients: i64 = 0;

export function sb_param_int(index: i32, value: i64): void {
  most = value;
}

/** Other filters open exports for themselves; these are no clients. */
function isClient(): bool {
  const text = memory.data(7);
  // plugin:
  return peer(text, 7) < 7 || load<u32>(text) != 0x67756c70 || load<u8>(text + 6) != 0x3a;
}

export function sb_open(name: usize, nameLength: usize, flags: i32): i32 {
  const counts = isClient();
  if (counts && most && clients >= most) {
    say(clients == 1 ? "there is " : "there are ");
    sayNumber(clients);
    say(clients == 1 ? " client, and no more is let in" : " clients, and no more are let in");
    return -fail(Errno.EACCES);
  }
  const handle = openHandle(counts ? 1 : 0);
  if (handle < 0) return -Errno.ENOMEM;
  if (counts) clients++;
  return handle;
}

export function sb_close(handle: i32): void {
  if (contextOf(handle)) clients--;
  closeHandle(handle);
}
