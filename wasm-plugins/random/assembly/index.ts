// SPDX-License-Identifier: MIT
// Disk of random bytes, each a function of the seed and its offset (README.md beside this folder).

import { answer, verify, verifyZeroes } from "../../lib/generated/assembly";
import { fillRandom, scramble } from "../../lib/generated/assembly/random";
import { declareImmediate, Info, setSize } from "../../sdk/assemblyscript/assembly";

export {
  sb_alloc,
  sb_cache,
  sb_flush,
  sb_free,
  sb_open,
  sb_size,
} from "../../sdk/assemblyscript/assembly";

/** Index of the parameter in the manifest. */
const PARAMETER_SEED: i32 = 1;

let key: u64 = 0;

export function sb_param_int(index: i32, value: i64): void {
  if (index == PARAMETER_SEED) key = scramble(value);
  else setSize(value);
}

export function sb_info(handle: i32, out: usize): i32 {
  declareImmediate(changetype<Info>(out));
  return 0;
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return answer(request, 0, count, offset, fill);
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  return verify(data, count, offset, fill);
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return verifyZeroes(count, offset, fill);
}

function fill(pointer: usize, count: usize, offset: u64): void {
  fillRandom(pointer, count, offset, key);
}
