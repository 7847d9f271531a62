// SPDX-License-Identifier: MIT
// The head of a VirtualBox disk image: where its block map and its blocks are. All numbers are little-endian.

import { Errno, fail, failWith, say, sayHex, sayNumber } from "../../sdk/assemblyscript/assembly";

/** Bytes of the head that are looked at. */
export const HEAD_BYTES: u32 = 512;
const SIGNATURE: u32 = 0xbeda107f;
const VERSION_MAJOR: u32 = 1;
const BLOCK_BYTES_MAX: u32 = 256 << 20;

/** Where fields of the head are. */
const enum At {
  Signature = 0x40,
  Version = 0x44,
  Type = 0x4c,
  Map = 0x154,
  Data = 0x158,
  Size = 0x170,
  BlockBytes = 0x178,
  /** Bytes in front of each block that are no data. */
  BlockExtra = 0x17c,
  Blocks = 0x180,
  /** Identifies the image that this one is a difference to; all zero where it stands alone. */
  Parent = 0x1a8,
}

/** Types of images. */
const enum Type {
  Dynamic = 1,
  Fixed = 2,
}

/** Entries of the map that name no block. */
export const FREE: u32 = 0xffffffff;
export const ZERO: u32 = 0xfffffffe;

/** What an image is. */
@unmanaged
export class Image {
  size: u64;
  map: u64;
  data: u64;
  blocks: u32;
  blockBytes: u32;
  /** Bytes of the device that it lies in. */
  deviceBytes: u64;
  /** The device is read in multiples of this. */
  unit: u32;
}

/** Takes over what `head` says. Returns 0, or an errno after having said why. */
export function readHead(image: Image, head: usize): i32 {
  if (load<u32>(head, At.Signature) != SIGNATURE) {
    return failWith(Errno.EINVAL, "cannot use the device below: it is no VirtualBox disk image");
  }
  const version = load<u32>(head, At.Version);
  if (version >> 16 != VERSION_MAJOR) {
    say("cannot use the image: its version is ");
    sayHex(version);
    say("; known is 0x10001");
    return fail(Errno.EINVAL);
  }
  const type = load<u32>(head, At.Type);
  if (type != Type.Dynamic && type != Type.Fixed) {
    say("cannot use the image: its type is ");
    sayNumber(type);
    say("; known are 1, dynamic, and 2, fixed");
    return fail(Errno.EINVAL);
  }
  if (load<u64>(head, At.Parent) | load<u64>(head, At.Parent + 8)) {
    return failWith(Errno.EINVAL, "cannot use the image: it is a difference to another one");
  }
  image.size = load<u64>(head, At.Size);
  image.map = load<u32>(head, At.Map);
  image.data = load<u32>(head, At.Data);
  image.blocks = load<u32>(head, At.Blocks);
  image.blockBytes = load<u32>(head, At.BlockBytes);
  if (load<u32>(head, At.BlockExtra)) {
    return failWith(Errno.EINVAL, "cannot use the image: there is more than data in its blocks");
  }
  return checkNumbers(image);
}

function checkNumbers(image: Image): i32 {
  const blockBytes = image.blockBytes;
  const blocks = image.blocks;
  const fits = blockBytes >= 512 && blockBytes <= BLOCK_BYTES_MAX &&
    popcnt(blockBytes) == 1 && image.size <= <u64>blocks * blockBytes &&
    image.map + (<u64>blocks << 2) <= image.deviceBytes;
  if (!fits) return failWith(Errno.EINVAL, "cannot use the image: its head is damaged");
  const mask = <u64>image.unit - 1;
  if (!((image.data | image.size | blockBytes) & mask)) return 0;
  say("cannot use the image: the device below has blocks of ");
  sayNumber(image.unit);
  say(" bytes, in which it does not lie");
  return fail(Errno.EINVAL);
}
