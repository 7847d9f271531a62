// SPDX-License-Identifier: MIT
// Disks in images of VirtualBox, whole and damaged, on devices that answer at once, later and in blocks.

import assert from "node:assert/strict";
import { Refused } from "../../core/backend/testing.ts";
import { Command } from "../../core/block/request.ts";
import { assertSameBytes } from "../../tests/support/bytes.ts";
import { client, node, useNodes, withFile } from "../test_graph.ts";
import { type ImageOptions, vdiDisk, vdiImage } from "./test_image.ts";

await useNodes("vdi", "delay", "blocksize-policy");

/** A client of the disk in `image`, with filters between. */
function serve(
  image: Uint8Array,
  use: (disk: ReturnType<typeof client>) => void,
  between: string[] = [],
): void {
  withFile(image, (path) => {
    const log: string[] = [];
    let below = node(`file ${path}`);
    for (const line of between) below = node(line, below);
    const disk = client(node("vdi", below), log);
    use(disk);
    disk.close();
    assert.deepEqual(log, []);
  });
}

const SPARSE: ImageOptions = { map: [2, "free", "zero", 0, 1, "free", "free", 3, "free"] };

const WAYS: Record<string, string[]> = {
  "a file": [],
  "what answers later": ["delay rdelay=1us wdelay=1us"],
  "what has blocks of 512": ["blocksize-policy blocksize-minimum=512 blocksize-error-policy=error"],
};
for (const [name, between] of Object.entries(WAYS)) {
  Deno.test(`a sparse image on ${name} reads like its disk, and says where it is empty`, () => {
    const expected = vdiDisk(SPARSE);
    serve(vdiImage(SPARSE), (disk) => {
      assert.equal(disk.opened.info.sizeLow, 9 * 4096);
      assert.equal(disk.opened.info.readOnly, true);
      assertSameBytes(disk.read(0, expected.length), expected);
      for (
        const [at, length] of [[512, 3584], [3584, 1024], [4096, 12288], [31232, 5632]] as const
      ) {
        assertSameBytes(disk.read(at, length), expected.subarray(at, at + length));
      }
      assert.equal(disk.readPartly(4096, 8192).holes, 8192);
      const [data, hole] = [0, 3];
      assert.deepEqual(disk.extents(0, expected.length), [
        { length: 4096, flags: data },
        { length: 8192, flags: hole },
        { length: 8192, flags: data },
        { length: 8192, flags: hole },
        { length: 4096, flags: data },
        { length: 4096, flags: hole },
      ]);
      assert.deepEqual(disk.extents(8192, 4096, true), [{ length: 4096, flags: hole }]);
    }, between);
  });
}

Deno.test("a map of many parts is read as far as it is needed", () => {
  const map = Array.from({ length: 9000 }, (_, i) => i % 3 === 0 ? i / 3 : "free" as const);
  const options = { map, blockBytes: 512, size: 9000 * 512 - 100 };
  const expected = vdiDisk(options);
  serve(vdiImage(options), (disk) => {
    assertSameBytes(disk.read(0, expected.length), expected);
    const requests = Array.from({ length: 16 }, (_, i) => {
      return disk.request(Command.Read, i * 250_001, 99_999n, 0);
    });
    assert(disk.together(requests).every((errno) => errno === 0));
    // Where the map was read in parts, extents end as well.
    const extents = disk.extents(0, expected.length);
    assert(extents.length >= 6000 && extents.length <= 6003, `${extents.length}`);
    assert.equal(extents.reduce((sum, { length }) => sum + length, 0), expected.length);
  });
});

Deno.test("images that are none, or none that can be served, are refused with a sentence", () => {
  const refused = (image: Uint8Array, message: RegExp, between: string[] = []) =>
    assert.throws(() => serve(image, () => {}, between), message);
  refused(new Uint8Array(100), /it is no VirtualBox disk image/);
  refused(new Uint8Array(8192), /it is no VirtualBox disk image/);
  const head = (at: number, value: number) => vdiImage({ ...SPARSE, head: { [at]: value } });
  refused(head(0x44, 0x20000), /its version is 0x20000; known is 0x10001/);
  refused(head(0x4c, 4), /its type is 4; known are 1, dynamic, and 2, fixed/);
  refused(head(0x1a8, 1), /it is a difference to another one/);
  refused(head(0x17c, 512), /there is more than data in its blocks/);
  for (
    const [at, value] of [[0x154, 1 << 20], [0x170, 1 << 30], [0x178, 0], [0x178, 4095]] as const
  ) {
    refused(head(at, value), /its head is damaged/);
  }
  const blocks = ["blocksize-policy blocksize-minimum=8192 blocksize-error-policy=error"];
  refused(vdiImage(SPARSE), /blocks of 8192 bytes, in which it does not lie/, blocks);
});

Deno.test("a block that is not in the file fails the requests for it, and nothing else", () => {
  const image = vdiImage(SPARSE);
  new DataView(image.buffer).setUint32(512 + 4 * 3, 77, true);
  serve(image, (disk) => {
    assert.throws(() => disk.read(12288, 512), Refused);
    assertSameBytes(disk.read(16384, 4096), vdiDisk(SPARSE).subarray(16384, 20480));
  });
});
