// SPDX-License-Identifier: MIT
// Stores everything combined with a key by exclusive or (README.md beside this folder). A hole below reads
// as the key, so it is data here.

import { alloc, Errno, failWith, Info, pass } from "../../sdk/assemblyscript/assembly";
import { readText, restLength, takeDigits } from "../../lib/text/assembly";
import { declareTransform, setTransform } from "../../lib/transform/assembly";

export { sb_alloc, sb_done, sb_free } from "../../sdk/assemblyscript/assembly";
export { sb_pread, sb_pwrite } from "../../lib/transform/assembly";

const KEY_BYTES_MAX: usize = 4096;

/** The key twice and 8 bytes more of it, so that words can be taken from anywhere in the first. */
let key: usize = 0;
let keyBytes: usize = 0;
/** Not 0: the key cannot be used. */
let status: i32 = 0;

/** Two digits of hexadecimal for each byte. */
export function sb_param_bytes(index: i32, pointer: usize, length: usize): void {
  keyBytes = length >> 1;
  key = keyBytes && keyBytes <= KEY_BYTES_MAX && !(length & 1) ? alloc(2 * keyBytes + 8, 8) : 0;
  status = key ? 0 : 1;
  for (let i: usize = 0; i < keyBytes && !status; i++) {
    readText(pointer + 2 * i, 2);
    const value = takeDigits(16);
    if (value < 0 || restLength()) status = 1;
    else store<u8>(key + i, <u8>value);
  }
  if (status) return;
  for (let i = keyBytes; i < 2 * keyBytes + 8; i++) store<u8>(key + i, load<u8>(key + i - keyBytes));
}

export function sb_ready(): i32 {
  if (status) {
    return failWith(
      Errno.EINVAL,
      "cannot use the key: it has 1 to 4096 bytes, each as two digits of hexadecimal",
    );
  }
  setTransform(combine, combine);
  return 0;
}

export function sb_info(handle: i32, out: usize): i32 {
  declareTransform(changetype<Info>(out), handle);
  return 0;
}

function combine(data: usize, count: usize, offset: u64): void {
  const end = data + count;
  const from = key;
  const bytes = keyBytes;
  let at = <usize>(offset % bytes);
  const step = <usize>8 % bytes;
  for (; data + 8 <= end; data += 8) {
    store<u64>(data, load<u64>(data) ^ load<u64>(from + at));
    at += step;
    if (at >= bytes) at -= bytes;
  }
  for (; data < end; data++) {
    store<u8>(data, load<u8>(data) ^ load<u8>(from + at));
    if (++at == bytes) at = 0;
  }
}

/** What is trimmed has no content that matters. */
export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return pass(request, count, offset, flags);
}

export function sb_secure_erase(
  handle: i32,
  request: i32,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  return pass(request, count, offset, flags);
}
