// SPDX-License-Identifier: MIT
// Makes VirtualBox disk images for tests.

/** An image with what is not as usual. */
export interface ImageOptions {
  blockBytes?: number;
  /** Entries of the map; "free" and "zero" are holes, numbers name blocks that `block` fills. */
  map: (number | "free" | "zero")[];
  /** Bytes of the disk; all blocks without it. */
  size?: number;
  /** Other numbers in the head: offset and value, as u32. */
  head?: Record<number, number>;
}

const MAP_AT = 512;

/** The image, in which block number n of the file is filled with n + 1. */
export function vdiImage({ blockBytes = 4096, map, size, head = {} }: ImageOptions): Uint8Array {
  const dataAt = Math.ceil((MAP_AT + 4 * map.length) / 4096) * 4096;
  const places = map.filter((entry) => typeof entry === "number");
  const blocks = places.length === 0 ? 0 : Math.max(...places) + 1;
  const image = new Uint8Array(dataAt + blocks * blockBytes);
  const view = new DataView(image.buffer);
  image.set(new TextEncoder().encode("<<< Oracle VM VirtualBox Disk Image >>>\n"));
  const numbers: Record<number, number> = {
    0x40: 0xbeda107f,
    0x44: 0x00010001,
    0x48: 0x180,
    0x4c: 1,
    0x154: MAP_AT,
    0x158: dataAt,
    0x168: 512,
    0x170: size ?? map.length * blockBytes,
    0x178: blockBytes,
    0x180: map.length,
    0x184: places.length,
    ...head,
  };
  for (const [at, value] of Object.entries(numbers)) view.setUint32(Number(at), value, true);
  map.forEach((entry, index) => {
    const value = entry === "free" ? 0xffffffff : entry === "zero" ? 0xfffffffe : entry;
    view.setUint32(MAP_AT + 4 * index, value, true);
  });
  for (let block = 0; block < blocks; block++) {
    const at = dataAt + block * blockBytes;
    for (let i = 0; i < blockBytes; i++) image[at + i] = (block + 1 + i * 7 + (i >> 8)) & 255;
  }
  return image;
}

/** What the disk in it holds. */
export function vdiDisk({ blockBytes = 4096, map, size }: ImageOptions): Uint8Array {
  const disk = new Uint8Array(map.length * blockBytes);
  map.forEach((entry, index) => {
    if (typeof entry !== "number") return;
    for (let i = 0; i < blockBytes; i++) {
      disk[index * blockBytes + i] = (entry + 1 + i * 7 + (i >> 8)) & 255;
    }
  });
  return disk.subarray(0, size ?? disk.length);
}
