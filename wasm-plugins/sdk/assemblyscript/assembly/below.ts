// SPDX-License-Identifier: MIT
// Structs that the host fills in about what is below a filter: its capabilities and its extents.

import { Info } from "./constants";
import { alloc, free } from "./heap";
import { nextInfo } from "./next";

/** Bytes of an Info. */
export const INFO_BYTES: u32 = 64;
const EXTENT_BYTES: usize = 16;
const LIST_BYTES: usize = 8;

/**
 * What a child can do, from the return of `sb_open` on. The struct is the same for all calls: what is
 * wanted longer than until the next one has to be copied.
 */
export function infoOf(handle: i32, child: i32): Info {
  const pointer = memory.data(INFO_BYTES, 8);
  const info = changetype<Info>(pointer);
  info.structSize = INFO_BYTES;
  nextInfo(handle, child, pointer);
  return info;
}

/** What `nextExtents` fills in: `changetype<usize>(list)` is its address. */
@unmanaged
export class ExtentList {
  /** Extents that there is room for. */
  capacity: u32;
  /** Extents that the child has told. */
  count: u32;

  /** A list for `capacity` extents; null where there is no memory. */
  static create(capacity: u32): ExtentList | null {
    const pointer = alloc(LIST_BYTES + <usize>capacity * EXTENT_BYTES, 8);
    if (!pointer) return null;
    const list = changetype<ExtentList>(pointer);
    list.capacity = capacity;
    list.count = 0;
    return list;
  }

  /** Bytes of the extent `index`. */
  lengthAt(index: u32): u64 {
    return load<u64>(this.at(index));
  }

  /** ExtentFlags of the extent `index`. */
  flagsAt(index: u32): i32 {
    return load<i32>(this.at(index) + 8);
  }

  private at(index: u32): usize {
    return changetype<usize>(this) + LIST_BYTES + <usize>index * EXTENT_BYTES;
  }

  /** Gives the memory of the list back. */
  drop(): void {
    free(changetype<usize>(this), LIST_BYTES + <usize>this.capacity * EXTENT_BYTES);
  }
}
