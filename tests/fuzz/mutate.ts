// SPDX-License-Identifier: MIT
// Damages a stream: bits, fields, lengths, order, ends.

import type { ByteBuffer } from "./byte_buffer.ts";
import type { Random } from "./random.ts";

const MUTATIONS_MAX = 5;
const MOVED_MAX = 200;
const INTERESTING_8 = [0, 1, 0x7f, 0x80, 0xff];
const INTERESTING_16 = [0, 1, 2, 4, 8, 0x10, 0x20, 0x3f, 0x7fff, 0x8000, 0xffff];
const INTERESTING_32 = [
  ...[0, 1, 2, 3, 7, 16, 511, 512, 4096, 4097, 65536, 12_800, 12_801],
  ...[0x02000000, 0x02000001, 0x04000000, 0x04000001, 0x7fffffff, 0x80000000, 0xffffffff],
  ...[0x25609513, 0x21e41c71, 0x49484156, 0x454f5054],
];

/** Damages `stream` some times over; `other` is another stream to take parts of. */
export function mutate(stream: ByteBuffer, other: ByteBuffer, random: Random): void {
  for (let count = random.below(MUTATIONS_MAX + 1); count > 0 && stream.length > 0; count--) {
    mutateOnce(stream, other, random);
  }
}

function mutateOnce(stream: ByteBuffer, other: ByteBuffer, random: Random): void {
  const at = random.below(stream.length);
  const left = stream.length - at;
  switch (random.below(11)) {
    case 0:
    case 1:
      stream.bytes[at]! ^= 1 << random.below(8);
      return;
    case 2:
      stream.bytes[at] = random.pick(INTERESTING_8);
      return;
    case 3:
      if (left >= 2) stream.view.setUint16(at, random.pick(INTERESTING_16));
      return;
    case 4:
    case 5:
      // Most fields begin at a multiple of four.
      if (left >= 8) stream.view.setUint32(at & ~3, random.pick(INTERESTING_32));
      return;
    case 6:
      stream.length = at;
      return;
    case 7:
      return remove(stream, at, Math.min(left, 1 + random.below(MOVED_MAX)));
    case 8:
      return insertNoise(stream, at, 1 + random.below(MOVED_MAX), random);
    case 9: {
      const length = Math.min(left, 1 + random.below(MOVED_MAX));
      return insert(stream, at, stream.bytes.slice(at, at + length));
    }
    default: {
      const from = random.below(other.length + 1);
      const length = Math.min(other.length - from, random.below(MOVED_MAX));
      return insert(stream, at, other.bytes.subarray(from, from + length));
    }
  }
}

function remove(stream: ByteBuffer, at: number, length: number): void {
  stream.bytes.copyWithin(at, at + length, stream.length);
  stream.length -= length;
}

function insert(stream: ByteBuffer, at: number, data: Uint8Array): void {
  if (!stream.fits(data.length)) return;
  stream.bytes.copyWithin(at + data.length, at, stream.length);
  stream.bytes.set(data, at);
  stream.length += data.length;
}

function insertNoise(stream: ByteBuffer, at: number, length: number, random: Random): void {
  if (!stream.fits(length)) return;
  stream.bytes.copyWithin(at + length, at, stream.length);
  for (let i = 0; i < length; i++) stream.bytes[at + i] = random.u32();
  stream.length += length;
}
