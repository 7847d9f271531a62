// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { Errno } from "../block/errno.ts";
import { Support } from "../block/export.ts";
import { Command, ExtentFlag, type Request, RequestFlag } from "../block/request.ts";
import { closeDescriptor } from "../../native/descriptor.ts";
import { Advice, adviseAt, readAt, Rwf, syncAll } from "../../native/file_data.ts";
import { Open, openFile } from "../../native/file.ts";
import { PAGE_BYTES, reserve, unmap } from "../../native/mmap.ts";
import { Refused } from "./testing.ts";
import {
  DISK_DIRECTORY,
  MEMORY_DIRECTORY,
  onFile,
  pattern,
  TARGETS,
  withFile,
} from "./file_testing.ts";

const HOLE = ExtentFlag.Hole | ExtentFlag.Zero;
const MIB = 1024 * 1024;

/** Drops a file from the page cache. */
function evict(path: string): void {
  const fd = openFile(path, Open.ReadOnly);
  assert.equal(syncAll(fd), 0);
  assert.equal(adviseAt(fd, 0, 0, 0, 0, Advice.DontNeed), 0);
  closeDescriptor(fd);
}

/** Whether the page at `offset` is in the page cache. */
function isCached(path: string, offset: number): boolean {
  const fd = openFile(path, Open.ReadOnly);
  const page = reserve(PAGE_BYTES);
  const count = readAt(fd, page.address, 1, 0, offset, Rwf.Nowait);
  unmap(page);
  closeDescriptor(fd);
  return count === 1;
}

for (const target of TARGETS) {
  Deno.test(`${target.name}: a write is read back and is in the file`, () => {
    withFile(target, 3 * MIB + 17, (client, path) => {
      const data = pattern(70_000, 1);
      client.write(12_345, data);
      assert.deepEqual(client.read(12_345, data.length), data);
      assert.deepEqual(client.read(0, 12_345), new Uint8Array(12_345));
      assert.deepEqual(Deno.readFileSync(path).subarray(12_345, 12_345 + data.length), data);
    });
  });

  Deno.test(`${target.name}: sizes are exact to the byte`, () => {
    for (const size of [0, 1, 511, 4097, 1_000_003]) {
      withFile(target, size, (client, path) => {
        assert.equal(client.opened.info.sizeLow, size);
        const data = pattern(size, 2);
        if (size > 0) client.write(0, data);
        assert.deepEqual(client.read(0, size), data);
        assert.equal(Deno.statSync(path).size, size);
        if (size > 3) {
          client.write(size - 3, pattern(3, 9));
          assert.deepEqual(client.read(size - 3, 3), pattern(3, 9));
          client.zero(size - 1, 1);
          client.trim(size - 3, 2);
        }
        assert.equal(Deno.statSync(path).size, size);
      });
    }
  });

  Deno.test(`${target.name}: offsets beyond 4 GiB`, () => {
    withFile(target, 2 ** 40 + 5, (client, path) => {
      const info = client.opened.info;
      assert.equal(info.sizeHigh, 256);
      assert.equal(info.sizeLow, 5);
      const at = 2 ** 33 - 100;
      client.write(at, pattern(4096, 3));
      assert.deepEqual(client.read(at, 4096), pattern(4096, 3));
      client.write(2 ** 40, pattern(5, 4));
      assert.deepEqual(client.read(2 ** 40, 5), pattern(5, 4));
      const found = client.extents(0, 2 ** 34);
      assert.deepEqual(found.map(({ flags }) => flags), [HOLE, 0, HOLE]);
      assert.ok(found[0]!.length <= at && found[0]!.length > at - 65_536);
      assert.equal(found.reduce((sum, { length }) => sum + length, 0), 2 ** 34);
      client.zero(2 ** 32, 2 ** 34);
      assert.deepEqual(client.read(at, 4096), new Uint8Array(4096));
      // Steps of one request lie on both sides of a multiple of 4 GiB.
      const border = 2 ** 33 - MIB - 5;
      client.write(border, pattern(3 * MIB, 5));
      assert.deepEqual(client.read(border, 3 * MIB), pattern(3 * MIB, 5));
      client.zero(border, 3 * MIB, RequestFlag.NoHole);
      assert.deepEqual(client.read(border, 3 * MIB), new Uint8Array(3 * MIB));
      client.cache(border, 3 * MIB);
      client.trim(border, 3 * MIB);
      assert.ok(Deno.statSync(path).blocks! * 512 < MIB);
    });
  });

  Deno.test(`${target.name}: zeroes are read as zeroes, whatever they are made of`, () => {
    const flags = [0, RequestFlag.NoHole, RequestFlag.Fua, RequestFlag.Fua | RequestFlag.NoHole];
    for (const flag of flags) {
      withFile(target, MIB, (client) => {
        client.write(0, pattern(MIB, 5));
        client.zero(100_001, 300_003, flag);
        const expected = pattern(MIB, 5);
        expected.fill(0, 100_001, 400_004);
        assert.deepEqual(client.read(0, MIB), expected);
      });
    }
  });

  Deno.test(`${target.name}: a fast zero is done or refused without a change`, () => {
    for (const flag of [0, RequestFlag.NoHole]) {
      withFile(target, MIB, (client) => {
        client.write(0, pattern(MIB, 6));
        const expected = pattern(MIB, 6);
        try {
          client.zero(4096, 65_536, flag | RequestFlag.FastZero);
          expected.fill(0, 4096, 4096 + 65_536);
        } catch (error) {
          assert.ok(error instanceof Refused);
          assert.equal(error.errno, Errno.EOPNOTSUPP);
        }
        assert.deepEqual(client.read(0, MIB), expected);
      });
    }
  });

  Deno.test(`${target.name}: trim gives space back`, () => {
    withFile(target, 4 * MIB, (client, path) => {
      client.write(0, pattern(4 * MIB, 7));
      client.flush();
      const before = Deno.statSync(path).blocks!;
      client.trim(0, 4 * MIB);
      assert.ok(Deno.statSync(path).blocks! < before / 10);
      assert.deepEqual(client.read(0, 4 * MIB), new Uint8Array(4 * MIB));
    });
  });

  Deno.test(`${target.name}: extents tell holes from data`, () => {
    withFile(target, 16 * MIB, (client) => {
      client.write(4 * MIB, pattern(2 * MIB, 8));
      client.write(12 * MIB, pattern(MIB, 8));
      client.flush();
      assert.deepEqual(client.extents(0, 16 * MIB), [
        { length: 4 * MIB, flags: HOLE },
        { length: 2 * MIB, flags: 0 },
        { length: 6 * MIB, flags: HOLE },
        { length: MIB, flags: 0 },
        { length: 3 * MIB, flags: HOLE },
      ]);
      assert.deepEqual(client.extents(5 * MIB, 2 * MIB, true), [{ length: MIB, flags: 0 }]);
      assert.deepEqual(client.extents(15 * MIB, 10), [{ length: 10, flags: HOLE }]);
      client.trim(4 * MIB, MIB);
      client.trim(5 * MIB, MIB);
      assert.deepEqual(client.extents(0, 8 * MIB), [{ length: 8 * MIB, flags: HOLE }]);
    });
  });

  Deno.test(`${target.name}: flush, cache and FUA succeed`, () => {
    withFile(target, MIB, (client) => {
      client.write(0, pattern(10_000, 9), RequestFlag.Fua);
      client.flush();
      client.cache(0, MIB);
      client.trim(0, 4096, RequestFlag.Fua);
      client.zero(4096, 4096, RequestFlag.Fua);
      assert.deepEqual(client.read(8192, 1808), pattern(10_000, 9).subarray(8192));
    });
  });

  Deno.test(`${target.name}: requests of length zero do nothing`, () => {
    withFile(target, 10, (client) => {
      assert.equal(client.read(10, 0).length, 0);
      client.write(10, new Uint8Array(0));
      client.trim(10, 0);
      client.zero(10, 0);
      client.cache(10, 0);
    });
  });

  Deno.test(`${target.name}: a file that became shorter fails what is missing and nothing else`, () => {
    withFile(target, MIB, (client, path) => {
      client.write(0, pattern(MIB, 10));
      client.flush();
      Deno.truncateSync(path, 100_000);
      const { bytes, errno, text } = client.readPartly(90_000, 20_000);
      assert.equal(errno, Errno.EIO);
      assert.deepEqual(bytes, pattern(MIB, 10).subarray(90_000, 100_000));
      assert.match(text, /shorter/);
      assert.throws(() => client.read(500_000, 65_536), { errno: Errno.EIO });
      assert.deepEqual(client.read(0, 50_000), pattern(MIB, 10).subarray(0, 50_000));
    });
  });
}

Deno.test("a read of pages that are not in memory completes later, with the right bytes", () => {
  onFile(DISK_DIRECTORY, 8 * MIB, {}, (client, path) => {
    const data = pattern(8 * MIB, 11);
    Deno.writeFileSync(path, data);
    let pended = 0;
    for (let round = 0; round < 4 && pended === 0; round++) {
      evict(path);
      const at = 1_234_567 + round * MIB;
      assert.deepEqual(client.read(at, 200_000), data.subarray(at, at + 200_000));
      pended = client.pended;
    }
    assert.ok(pended > 0, "reading an evicted file never had to wait");
  });
});

Deno.test("direct I/O leaves nothing in the page cache, wherever a payload lies", () => {
  for (const shift of [0, 28]) {
    onFile(DISK_DIRECTORY, 4 * MIB, { direct: true }, (client, path) => {
      const { minimum } = client.opened.info.blockSize;
      assert.ok(minimum >= 512 && minimum <= 4096);
      client.payloadShift = shift;
      client.write(65_536, pattern(65_536, 14), RequestFlag.Fua);
      assert.deepEqual(client.read(65_536, 65_536), pattern(65_536, 14));
      assert.equal(isCached(path, 65_536), false);
    });
  }
});

Deno.test("direct I/O on a file of odd size has no minimum block size", () => {
  onFile(DISK_DIRECTORY, 12_345, { direct: true }, (client) => {
    assert.equal(client.opened.info.blockSize.minimum, 1);
    client.write(12_340, pattern(5, 1));
    client.write(100, pattern(12_000, 2));
    assert.deepEqual(client.read(12_300, 45).subarray(40), pattern(5, 1));
    assert.deepEqual(client.read(100, 12_000), pattern(12_000, 2));
  });
});

Deno.test("many reads wait for the disk together, more than the ring has entries", () => {
  onFile(DISK_DIRECTORY, 16 * MIB, { direct: true }, (client, path) => {
    Deno.writeFileSync(path, pattern(16 * MIB, 12));
    const requests = Array.from(
      { length: 1000 },
      (_, i) => client.request(Command.Read, i * 4096, 4096n, 0),
    );
    const errnos = client.together(requests);
    assert.ok(errnos.every((errno) => errno === 0));
    assert.equal(client.pended, 1000);
    const expected = pattern(16 * MIB, 12);
    requests.forEach((request, i) => {
      const address = request.pieceValue(0);
      const got = client.bytesAt(address, 4096);
      assert.deepEqual(got, expected.subarray(i * 4096, i * 4096 + 4096));
    });
  });
});

for (const target of TARGETS) {
  Deno.test(`${target.name}: requests that are under way together do not disturb one another`, () => {
    const slot = 65_536;
    const slots = 600;
    withFile(target, slots * slot + 1, (client, path) => {
      const model = pattern(slots * slot + 1, 20);
      Deno.writeFileSync(path, model);
      evict(path);
      const reads: Request[] = [];
      const requests = Array.from({ length: slots }, (_, i) => {
        const at = i * slot + i;
        const length = slot - 1000 - i;
        if (i % 5 === 0) {
          model.set(pattern(length, i), at);
          return client.writeRequest(at, pattern(length, i), i % 2);
        }
        if (i % 5 === 1) {
          model.fill(0, at, at + length);
          return client.request(Command.WriteZeroes, at, BigInt(length), i % 4);
        }
        if (i % 5 === 2) return client.request(Command.Flush, 0, 0n, 0);
        const read = client.request(Command.Read, at, BigInt(length), 0);
        reads.push(read);
        return read;
      });
      assert.ok(client.together(requests).every((errno) => errno === 0));
      for (const read of reads) {
        const address = read.pieceValue(0);
        const got = client.bytesAt(address, read.lengthLow);
        assert.deepEqual(got, model.subarray(read.offsetLow, read.offsetLow + read.lengthLow));
      }
      assert.deepEqual(Deno.readFileSync(path), model);
    });
  });
}

Deno.test("a large read of a hole is answered as a hole", () => {
  onFile(DISK_DIRECTORY, 8 * MIB, {}, (client) => {
    assert.equal(client.readPartly(MIB, MIB).holes, MIB);
    client.write(MIB + 5, pattern(1, 1));
    const { bytes, holes } = client.readPartly(MIB, MIB);
    assert.equal(holes, 0);
    assert.equal(bytes[5], pattern(1, 1)[0]);
  });
});

Deno.test("block status names a bounded number of extents", () => {
  onFile(DISK_DIRECTORY, 64 * MIB, {}, (client) => {
    for (let i = 0; i < 1500; i++) client.write(i * 16384, pattern(1, 1));
    const extents = client.extents(0, 64 * MIB);
    assert.equal(extents.length, 1024);
    assert.deepEqual(extents.slice(0, 2).map(({ flags }) => flags), [0, HOLE]);
  });
});

Deno.test("a file in memory never waits", () => {
  onFile(MEMORY_DIRECTORY, 4 * MIB, {}, (client) => {
    client.write(0, pattern(4 * MIB, 13), RequestFlag.Fua);
    client.read(0, 4 * MIB);
    client.flush();
    client.trim(0, 65_536);
    client.cache(0, MIB);
    assert.equal(client.pended, 0);
  });
});

Deno.test("offsets beyond 2^53 are exact", () => {
  onFile(MEMORY_DIRECTORY, 2 ** 62, {}, (client) => {
    const at = 2n ** 60n + 1n;
    client.write(at, pattern(3, 1));
    assert.deepEqual(client.read(at - 1n, 5).subarray(1, 4), pattern(3, 1));
    const page = 2n ** 60n;
    assert.deepEqual(client.extents(page - 4096n, 12_288n), [
      { length: 4096, flags: HOLE },
      { length: 4096, flags: 0 },
      { length: 4096, flags: HOLE },
    ]);
    client.zero(at + 1n, 2n ** 61n);
    assert.deepEqual(client.read(at, 2), Uint8Array.of(pattern(1, 1)[0]!, 0));
    assert.equal(client.extents(0n, 2n ** 62n).length, 3);
    client.trim(0n, 2n ** 62n);
    assert.deepEqual(client.extents(0n, 2n ** 62n), [{ length: 2 ** 62, flags: HOLE }]);
  });
});

Deno.test("what a client is told about a file", () => {
  onFile(DISK_DIRECTORY, 12_345, {}, (client) => {
    const { info } = client.opened;
    assert.equal(info.readOnly, false);
    assert.deepEqual(info.blockSize, { minimum: 1, preferred: 4096, maximum: 33554432 });
    const native = { write: 2, flush: 2, fua: 2, trim: 2, zero: 2, fastZero: 2, cache: 2 };
    assert.deepEqual(info.can, {
      ...native,
      extents: 2,
      multiConn: Support.Native,
      secureErase: Support.None,
      ioctl: Support.None,
    });
  });
});
