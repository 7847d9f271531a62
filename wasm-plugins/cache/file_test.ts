// SPDX-License-Identifier: MIT
// The cache filter with its blocks in a file: against an array, on a disk that is full or fails, and what
// becomes of the file.

import assert from "node:assert/strict";
import { OpenedFile } from "../../core/backend/granted_file.ts";
import { Refused } from "../../core/backend/testing.ts";
import { Errno } from "../../core/block/errno.ts";
import { RequestFlag } from "../../core/block/request.ts";
import type { DeviceOptions } from "../../core/control/options.ts";
import { FileJobKind } from "../../core/plugin/file_job.ts";
import { compareWithArray } from "../test_array.ts";
import { client, fill, node, open, start, useNodes, withFile } from "../test_graph.ts";
import { assertSameBytes } from "../test_nodes.ts";

await useNodes("cache", "cow", "delay", "memory", "stats");

const MIB = 1 << 20;
const SIZE = 2 * MIB + 1234;

/** Calls `use` with a cache in a file of a directory that is there for this alone. */
function withCache(
  use: (cache: (options: string, below: DeviceOptions) => DeviceOptions, path: string) => void,
): void {
  const folder = Deno.makeTempDirSync();
  const path = `${folder}/cache`;
  try {
    use((options, below) => {
      return node(`cache +write=${folder} cache-file=${path} ${options}`.trim(), below);
    }, path);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

for (
  const options of [
    "",
    "cache-max-size=256K",
    "cache-max-size=256K cache-on-read=yes",
    "cache-max-size=256K cache-on-read=yes cache-min-block-size=16K",
    "cache-max-size=256K cache=writethrough cache-on-read=yes",
    "cache-max-size=256K cache=unsafe",
    "cache-max-size=64K cache-min-block-size=32K cache-write-delay=1ms",
  ]
) {
  for (const late of [false, true]) {
    const name = `${options || "defaults"}${late ? ", above what is late" : ""}`;
    Deno.test(`cache in a file behaves as an array does and leaves it below (${name})`, () => {
      const before = fill(SIZE, 3);
      withFile(before, (path) => {
        withCache((cache, cacheFile) => {
          const file = node(`file ${path}`);
          const below = late ? node("delay rdelay=1ms wdelay=1ms", file) : file;
          const log: string[] = [];
          const disk = open(start(cache(options, below), log, !late));
          const model = before.slice();
          compareWithArray(disk, model, {
            rounds: late ? 40 : 60,
            seed: 2,
            together: 6,
            lengthMax: 40_000,
          });
          disk.finish();
          assertSameBytes(Deno.readFileSync(path), model);
          assert.deepEqual(log, []);
          assert.equal(Deno.statSync(cacheFile).size, 0, "the room is given back");
        });
      });
    });
  }
}

Deno.test("cache in a file keeps changes there until a flush, and no more than it may", () => {
  withFile(new Uint8Array(MIB), (path) => {
    withCache((cache, cacheFile) => {
      const options = "cache-max-size=64K cache-write-delay=1h";
      const disk = client(cache(options, node(`file ${path}`)));
      disk.write(4096, fill(8192, 1));
      disk.write(100, fill(10, 1));
      assertSameBytes(Deno.readFileSync(path), new Uint8Array(MIB));
      assert.equal(disk.extents(4096, 8192)[0]!.flags, 0, "data, though there is a hole below");
      assertSameBytes(disk.read(4096, 8192), fill(8192, 1));
      disk.flush();
      const after = new Uint8Array(MIB);
      after.set(fill(8192, 1), 4096);
      after.set(fill(10, 1), 100);
      assertSameBytes(Deno.readFileSync(path), after);
      for (let at = 0; at < MIB; at += 4096) disk.write(at, fill(4096, at >> 12));
      for (let at = 0; at < MIB; at += 4096) {
        assertSameBytes(disk.read(at, 4096), fill(4096, at >> 12));
      }
      assert(Deno.statSync(cacheFile).size <= 65536);
      disk.close();
    });
  });
});

Deno.test("cache in a file answers what it has without asking below", () => {
  withCache((cache) => {
    const log: string[] = [];
    const disk = client(cache("cache-on-read=yes", node("stats", node("memory 1M"))), log);
    for (let i = 0; i < 10; i++) assertSameBytes(disk.read(8192, 16384), new Uint8Array(16384));
    disk.cache(65536, 65536);
    assertSameBytes(disk.read(70_000, 1000), new Uint8Array(1000));
    disk.close();
    assert.match(log.join(), /reads: 2 of 81920 bytes/);
  });
});

Deno.test("cache in a file writes through what has to be durable, and zeroes beside changes", () => {
  withFile(fill(MIB, 2), (path) => {
    withCache((cache) => {
      const disk = client(cache("cache-write-delay=1h", node(`file ${path}`)));
      const model = fill(MIB, 2);
      const change = (at: number, bytes: Uint8Array, flags = 0) => {
        disk.write(at, bytes, flags);
        model.set(bytes, at);
      };
      change(5000, fill(10_000, 3), RequestFlag.Fua);
      assertSameBytes(Deno.readFileSync(path), model);
      change(40_000, fill(50_000, 4));
      disk.zero(50_000, 20_000);
      model.fill(0, 50_000, 70_000);
      assertSameBytes(disk.read(0, MIB), model);
      disk.finish();
      assertSameBytes(Deno.readFileSync(path), model);
    });
  });
});

/** Calls `use` while files of plugins cannot become longer than `bytes`. */
function withFullDisk(bytes: number, use: () => void): void {
  const { run } = OpenedFile.prototype;
  OpenedFile.prototype.run = function (job, wait) {
    const end = job.offsetLow + job.lengthLow;
    return job.kind === FileJobKind.Write && end > bytes ? Errno.ENOSPC : run.call(this, job, wait);
  };
  try {
    use();
  } finally {
    OpenedFile.prototype.run = run;
  }
}

for (const bytes of [0, 65536, 131_072]) {
  Deno.test(`cache in a file goes on when there is room for ${bytes} bytes only`, () => {
    const before = fill(SIZE, 3);
    withFile(before, (path) => {
      withCache((cache, cacheFile) => {
        withFullDisk(bytes, () => {
          const log: string[] = [];
          const below = node("delay wdelay=1ms", node(`file ${path}`));
          const options = "cache-on-read=yes cache-min-block-size=8K";
          const disk = open(start(cache(options, below), log, false));
          const model = before.slice();
          compareWithArray(disk, model, { rounds: 40, seed: 3, together: 6, lengthMax: 40_000 });
          assert(Deno.statSync(cacheFile).size <= bytes);
          disk.finish();
          assertSameBytes(Deno.readFileSync(path), model);
          assert.equal(log.length, 1);
          assert.match(log[0]!, /warning: .*cannot grow: ENOSPC; the cache goes on with \d+ bytes/);
        });
      });
    });
  });
}

Deno.test("cache in a file that is damaged reads what is below, and loses changes loudly", () => {
  withFile(fill(MIB, 2), (path) => {
    withCache((cache, cacheFile) => {
      const log: string[] = [];
      const options = "cache-on-read=yes cache-write-delay=1h";
      const disk = client(cache(options, node(`file ${path}`)), log);
      disk.read(0, 65536);
      Deno.truncateSync(cacheFile, 8192);
      assertSameBytes(disk.read(0, 65536), fill(MIB, 2).subarray(0, 65536));
      assert.match(log.join(), /error: .*cannot read the cache file ".*": ENODATA; what is below/);
      disk.write(131072, fill(65536, 5));
      Deno.truncateSync(cacheFile, 8192);
      assert.throws(() => disk.read(131072, 65536), (error) => error instanceof Refused);
      assert.throws(() => disk.flush(), (error) => error instanceof Refused);
      disk.finish();
      assert.match(log.at(-1)!, /the changes in 65536 bytes of the cache are lost/);
    });
  });
});

Deno.test("cache takes its file for itself, and says what is missing", () => {
  withCache((cache, path) => {
    const memory = node("memory 1M");
    const disk = client(cache("", memory));
    assert.throws(() => client(cache("", node("memory 1M"))), /cannot open ".*": it is in use/);
    disk.close();
    client(cache("", node("memory 1M"))).close();
    assert.throws(
      () => client(node(`cache cache-file=${path}`, node("memory 1M"))),
      /is not allowed; --allow cache:write=DIR/,
    );
    assert.throws(
      () => client(cache("cache-min-block-size=4K cache-max-size=8G", node("memory 1M"))),
      /more than 1048575 blocks; larger ones are needed/,
    );
    client(cache("cache-max-size=8G", node("memory 1M"))).close();
    assert.throws(
      () => client(node("cache cache-max-size=4G", node("memory 1M"))),
      /cannot keep more than 3G in memory/,
    );
  });
});
