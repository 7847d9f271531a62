// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { join } from "node:path";
import { Errno } from "../block/errno.ts";
import { Support } from "../block/export.ts";
import { RequestFlag } from "../block/request.ts";
import { closeDescriptor } from "../../native/descriptor.ts";
import { Open, openFile } from "../../native/file.ts";
import { DISK_DIRECTORY, fileDevice, pattern, succeeds } from "./file_testing.ts";
import { TestClient } from "./testing.ts";

const MIB = 1024 * 1024;
/** Not a multiple of a page. */
const SIZE = 8 * MIB + 512;

/** Runs `test` on a loop device over a file of SIZE bytes. Says so where there are none. */
function onLoopDevice(directory: string, test: (path: string, image: string) => void): void {
  const image = join(directory, "image");
  Deno.writeFileSync(image, new Uint8Array());
  Deno.truncateSync(image, SIZE);
  let path = "";
  try {
    const args = ["--find", "--show", image];
    const { success, stdout } = new Deno.Command("losetup", { args, stderr: "null" }).outputSync();
    if (success) path = new TextDecoder().decode(stdout).trim();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  if (path === "") {
    console.warn("NOT TESTED: a block device (needs root and losetup)");
    return;
  }
  const fd = openFile(path, Open.ReadOnly);
  try {
    // Detached when it is closed for the last time, even if this process is killed.
    succeeds("losetup", "--detach", path);
    test(path, image);
  } finally {
    closeDescriptor(fd);
  }
}

function onDisk(test: (path: string, image: string) => void): void {
  const directory = Deno.makeTempDirSync({ dir: DISK_DIRECTORY });
  try {
    onLoopDevice(directory, test);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

function withClient(
  given: Record<string, string | boolean>,
  ioUring: boolean,
  test: (client: TestClient) => void,
): void {
  const device = fileDevice(given, { ioUring });
  const client = new TestClient(device, device.open("", { readOnly: false, peer: "" }));
  try {
    test(client);
  } finally {
    client.close();
  }
}

const WAYS = [
  { name: "block device", direct: false, ioUring: true },
  { name: "block device without io_uring", direct: false, ioUring: false },
  { name: "block device past the page cache", direct: true, ioUring: true },
];

for (const { name, direct, ioUring } of WAYS) {
  Deno.test(`${name}: reads, writes, zeroes and trims at any byte`, () => {
    onDisk((file, image) => {
      withClient({ file, direct }, ioUring, (client) => {
        const { info } = client.opened;
        assert.equal(info.sizeLow, SIZE);
        assert.equal(info.can.extents, Support.None);
        assert.equal(info.blockSize.minimum, direct ? 512 : 1);
        const model = pattern(SIZE, 1);
        client.write(0, model);
        client.write(1000, pattern(5000, 2), RequestFlag.Fua);
        model.set(pattern(5000, 2), 1000);
        const zeroes: [number, number, number][] = [
          [512, 8192, 0],
          [10_001, 30_003, 0],
          [100_001, 30_003, RequestFlag.NoHole | RequestFlag.Fua],
          [200_100, 100, 0],
          [200_300, 300, RequestFlag.NoHole],
          [5 * MIB + 1, 2 * MIB, RequestFlag.Fua],
          [SIZE - 513, 513, 0],
        ];
        for (const [offset, length, flags] of zeroes) {
          client.zero(offset, length, flags);
          model.fill(0, offset, offset + length);
        }
        assert.deepEqual(client.read(0, SIZE), model);
        // Only whole sectors are trimmed, and their contents are then undefined.
        client.trim(3 * MIB + 1, 100);
        client.trim(3 * MIB + 100, 900);
        client.trim(4 * MIB - 1, 1025, RequestFlag.Fua);
        const outside = [[0, 3 * MIB], [3 * MIB + 1024, 4 * MIB], [4 * MIB + 1024, SIZE]] as const;
        for (const [from, to] of outside) {
          assert.deepEqual(client.read(from, to - from), model.subarray(from, to));
        }
        assert.equal(client.read(3 * MIB, 512)[1], model[3 * MIB + 1]);
        client.flush();
        client.cache(0, SIZE);
        assert.deepEqual(Deno.readFileSync(image).subarray(0, 3 * MIB), model.subarray(0, 3 * MIB));
      });
    });
  });

  Deno.test(`${name}: a trim of everything gives the space of the disk back`, () => {
    onDisk((file, image) => {
      withClient({ file, direct }, ioUring, (client) => {
        client.write(0, pattern(8 * MIB, 1));
        client.flush();
        const before = Deno.statSync(image).blocks!;
        assert.ok(before >= 8 * MIB / 512);
        client.trim(0, SIZE);
        assert.ok(Deno.statSync(image).blocks! < before / 10);
      });
    });
  });
}

Deno.test("an error of the disk while flushing is EIO, in the log once", () => {
  const directory = Deno.makeTempDirSync();
  if (!succeeds("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", directory)) {
    console.warn("NOT TESTED: an error of the disk (needs root and mount)");
    Deno.removeSync(directory);
    return;
  }
  try {
    // The disk lies on a filesystem that is smaller, so what the page cache took cannot be written.
    onLoopDevice(directory, (file) => {
      const logged: string[] = [];
      const device = fileDevice({ file }, {
        log: (level, text) => logged.push(`${level} ${text}`),
      });
      const client = new TestClient(device, device.open("", { readOnly: false, peer: "" }));
      client.write(0, pattern(8 * MIB, 1));
      assert.throws(() => client.flush(), { errno: Errno.EIO });
      const direct = () => client.write(7 * MIB, pattern(65_536, 1), RequestFlag.Fua);
      assert.throws(direct, (error: { errno: number }) => {
        return error.errno === Errno.EIO || error.errno === Errno.ENOSPC;
      });
      assert.match(logged[0]!, /^error "\/dev\/loop\d+": cannot flush: EIO$/);
      assert.equal(logged.length, 1);
      client.close();
    });
  } finally {
    succeeds("umount", directory);
    Deno.removeSync(directory);
  }
});
