// SPDX-License-Identifier: MIT
// Partitions of disks with tables of all kinds, whole and damaged.

import assert from "node:assert/strict";
import fc from "fast-check";
import { assertSameBytes } from "../../tests/support/bytes.ts";
import { buildDevice } from "../../core/graph/build.ts";
import { Watchdog } from "../../core/plugin/watch.ts";
import { client, fill, node, useNodes, withFile } from "../test_graph.ts";
import { crc32, gptDisk, type GptOptions, mbrDisk } from "./test_tables.ts";

await useNodes("partition", "delay", "blocksize-policy");

/** A client of a partition of `disk`, above a device that answers at once or later. */
function serve(
  disk: Uint8Array,
  parameters: string,
  use: (client: ReturnType<typeof open>, log: string[]) => void,
  between: string[] = [],
): void {
  withFile(disk, (path) => {
    const log: string[] = [];
    const one = open(path, parameters, log, between);
    use(one, log);
    one.close();
  });
}

function open(path: string, parameters: string, log: string[], between: string[]) {
  let below = node(`file ${path}`);
  for (const line of between) below = node(line, below);
  return client(node(`partition ${parameters}`, below), log);
}

function refuses(disk: Uint8Array, parameters: string, message: RegExp, between: string[] = []) {
  withFile(disk, (path) => {
    assert.throws(() => open(path, parameters, [], between), message);
  });
}

/** The part of `disk` that a partition of `sectors` of 512 bytes is. */
function part(disk: Uint8Array, first: number, sectors: number, bytes = 512): Uint8Array {
  return disk.subarray(first * bytes, (first + sectors) * bytes);
}

const MBR = mbrDisk(2048, [[1, 3], [10, 20], [100, 1000, 0x0f], [1200, 848]], [[1, 10], [2, 30], [
  1,
  1,
]]);

for (const later of [[], ["delay rdelay=1us wdelay=1us"]]) {
  const when = later.length === 0 ? "a file" : "what answers later";
  Deno.test(`partitions of an MBR, primary and logical, on ${when}`, () => {
    const places: [number, number, number][] = [[1, 1, 3], [2, 10, 20], [4, 1200, 848]];
    places.push(
      ...MBR.logical.map(([first, count], i): [number, number, number] => [5 + i, first, count]),
    );
    assert.equal(places.length, 6);
    for (const [number, first, sectors] of places) {
      serve(MBR.disk, `partition=${number}`, (disk) => {
        assert.equal(disk.opened.info.sizeLow, sectors * 512, `${number}`);
        assertSameBytes(disk.read(0, sectors * 512), part(MBR.disk, first, sectors));
      }, later);
    }
  });

  Deno.test(`partitions of a GPT on ${when}`, () => {
    const disk = gptDisk(4096, [[34, 40], null, [100, 3000], [3500, 1]]);
    for (const [number, first, sectors] of [[1, 34, 40], [3, 100, 3000], [4, 3500, 1]] as const) {
      serve(disk, `partition=${number}`, (one, log) => {
        assert.equal(one.opened.info.sizeLow, sectors * 512);
        assertSameBytes(one.read(0, sectors * 512), part(disk, first, sectors));
        assert.deepEqual(log, []);
      }, later);
    }
  });
}

Deno.test("requests go to the right place", () => {
  const disk = gptDisk(4096, [[34, 40], [100, 1000]]);
  withFile(disk, (path) => {
    const one = open(path, "partition=2", [], []);
    one.write(512, fill(1000, 3));
    one.zero(4096, 4096);
    one.trim(8192, 4096);
    one.cache(0, 4096);
    one.flush();
    assert.equal(one.extents(0, 512_000).reduce((sum, { length }) => sum + length, 0), 512_000);
    one.close();
    const model = disk.slice();
    model.set(fill(1000, 3), 51_200 + 512);
    model.fill(0, 51_200 + 4096, 51_200 + 12_288);
    assertSameBytes(Deno.readFileSync(path), model);
  });
});

Deno.test("a table that does not come in time is refused, and what comes late harms nobody", () => {
  withFile(gptDisk(4096, [[34, 40]]), (path) => {
    const slow = (ms: number) => node(`delay rdelay=${ms}ms`, node(`file ${path}`));
    const watchdog = new Watchdog();
    // One watch for each plugin; a call may take 100 ms.
    const watches = [1, 2].map(() => watchdog.watch(100));
    watchdog.stop();
    const device = buildDevice(node("partition partition=1", slow(150)), {
      watches,
      log: () => {},
      instances: 1,
    });
    for (let i = 0; i < 3; i++) {
      assert.throws(
        () => device.open("", { readOnly: false, peer: "" }),
        /cannot get the size of an export: nothing was answered within 100 ms/,
      );
    }
    const until = performance.now() + 400;
    while (performance.now() < until) device.reap();
    device.close();
    client(node("partition partition=1", slow(20))).close();
  });
});

Deno.test("what is not there is refused with a sentence", () => {
  const gpt = gptDisk(4096, [[34, 40], null]);
  refuses(
    MBR.disk,
    "partition=3",
    /cannot serve partition 3: it is an extended one; what is in it has numbers from 5 on/,
  );
  refuses(MBR.disk, "partition=8", /partition 8: there is no such partition/);
  refuses(mbrDisk(100, [[1, 3]], []).disk, "partition=2", /there is no such partition/);
  refuses(mbrDisk(100, [[1, 3]], []).disk, "partition=5", /there is no such partition/);
  for (const number of [2, 3, 128, 129, 4096]) {
    refuses(gpt, `partition=${number}`, /there is no such partition/);
  }
  refuses(new Uint8Array(10_000), "partition=1", /the device has no table of partitions/);
  refuses(new Uint8Array(511), "partition=1", /the device is too small for a table of partitions/);
  refuses(new Uint8Array(0), "partition=1", /too small/);
  refuses(new Uint8Array(512), "partition=1", /no table of partitions/);
});

Deno.test("partitions that reach beyond the disk are refused", () => {
  for (const [first, count] of [[99, 2], [100, 1], [0xffffffff, 0xffffffff], [1, 100]] as const) {
    refuses(
      mbrDisk(100, [[first, count]], []).disk,
      "partition=1",
      /it reaches beyond the end of the device/,
    );
  }
  for (
    const [first, last] of [[4000n, 5000n], [50n, 49n], [0n, 2n ** 64n - 1n], [
      2n ** 63n,
      2n ** 63n,
    ]] as const
  ) {
    const disk = gptDisk(4096, [[34, 40]], { places: [[first, last]] });
    refuses(disk, "partition=1", /it reaches beyond the end of the device/);
  }
});

Deno.test("a chain of logical partitions that is broken is refused", () => {
  const broken = (change: (view: DataView, links: number[]) => void) => {
    const { disk, links } = mbrDisk(2048, [[100, 1000, 5]], [[1, 10], [2, 30], [1, 1]]);
    change(new DataView(disk.buffer), links);
    return disk;
  };
  const chain = /the chain of logical partitions is broken/;
  const NEXT = 446 + 16 + 8;
  refuses(broken((view, links) => view.setUint16(links[1]! * 512 + 510, 0)), "partition=6", chain);
  // Back to the first link, to itself, to nowhere.
  for (const to of [0, 0xffffffff, 1000]) {
    refuses(
      broken((view, links) => view.setUint32(links[1]! * 512 + NEXT, to, true)),
      "partition=7",
      chain,
    );
  }
  const long = broken((view, links) => view.setUint32(links[1]! * 512 + 446 + 12, 5000, true));
  refuses(long, "partition=6", /it reaches beyond the end of the device/);
  serve(long, "partition=7", () => {});
});

const BOTH = /both headers of the GPT, or their entries, are damaged/;

Deno.test("a damaged GPT is replaced by the one at the end, with a warning", () => {
  const damages: ((disk: Uint8Array) => void)[] = [
    (disk) => disk.fill(0, 512, 1024),
    (disk) => void (disk[512 + 40]! ^= 1),
    (disk) => void (disk[512 + 56]! ^= 1),
    (disk) => void (disk[1024 + 200]! ^= 1),
    (disk) => disk.fill(255, 512, 17_408),
  ];
  for (const damage of damages) {
    const disk = gptDisk(4096, [[34, 40], [100, 3000]]);
    damage(disk);
    serve(disk, "partition=2", (one, log) => {
      assertSameBytes(one.read(0, 3000 * 512), part(disk, 100, 3000));
      assert.match(
        log.join(),
        /warning: plugin "partition": the partition table in front is damaged/,
      );
    });
    disk[disk.length - 512 + 60]! ^= 1;
    refuses(disk, "partition=2", BOTH);
  }
});

Deno.test("headers that lie are no headers", () => {
  const lies: GptOptions[] = [
    { headerBytes: 91 },
    { headerBytes: 513 },
    { headerBytes: 0xffffffff },
    { entryBytes: 64 },
    { entryBytes: 192 },
    { entryBytes: 0 },
    { entryCount: 0 },
    { entryCount: 0x10000000 },
    { entriesAt: 1n },
    { entriesAt: 4096n },
    { entriesAt: 2n ** 63n },
    { entriesAt: 4095n },
    { ownAt: 2n },
  ];
  for (const lie of lies) {
    refuses(gptDisk(4096, [[34, 40]], lie), "partition=1", BOTH);
  }
});

Deno.test("entries and headers may be larger, and sectors, too", () => {
  const large = gptDisk(4096, [[80, 40], [200, 7]], { entryBytes: 256, headerBytes: 512 });
  serve(large, "partition=2", (one) => assertSameBytes(one.read(0, 3584), part(large, 200, 7)));
  const disk = gptDisk(1024, [[10, 40], [100, 200]], { sector: 4096 });
  for (const size of ["", " partition-sectorsize=4096"]) {
    serve(disk, `partition=2${size}`, (one) => {
      assert.equal(one.opened.info.sizeLow, 200 * 4096);
      assertSameBytes(one.read(0, 200 * 4096), part(disk, 100, 200, 4096));
    });
  }
  refuses(disk, "partition=2 partition-sectorsize=512", BOTH);
  const damaged = disk.slice();
  damaged.fill(0, 4096, 8192);
  serve(
    damaged,
    "partition=2",
    (one) => assertSameBytes(one.read(0, 4096), part(disk, 100, 1, 4096)),
  );
});

Deno.test("an MBR with partitions counts more than what is left of a GPT behind it", () => {
  const disk = gptDisk(4096, [[34, 40]]);
  disk.set(mbrDisk(4096, [[200, 5]], []).disk.subarray(0, 512));
  serve(disk, "partition=1", (one) => assert.equal(one.opened.info.sizeLow, 5 * 512));
  const hybrid = gptDisk(4096, [[34, 40]]);
  new DataView(hybrid.buffer).setUint8(446 + 16 + 4, 0x83);
  serve(hybrid, "partition=1", (one) => assert.equal(one.opened.info.sizeLow, 40 * 512));
});

Deno.test("partitions that are no whole blocks of the device are refused", () => {
  const blocks = ["blocksize-policy blocksize-minimum=4K"];
  const disk = gptDisk(4096, [[40, 40], [100, 3000], [3200, 31]]);
  serve(disk, "partition=1", (one) => assert.equal(one.opened.info.sizeLow, 40 * 512), blocks);
  refuses(
    disk,
    "partition=2",
    /it does not consist of whole blocks of the device; put the filter blocksize/,
    blocks,
  );
  refuses(disk, "partition=3", /whole blocks/, blocks);
});

Deno.test("no table makes it crash, hang or serve what is not there", () => {
  const good = [MBR.disk.subarray(0, 600 * 512), gptDisk(128, [[34, 10], [50, 20]])];
  const change = fc.record({ which: fc.nat(1), at: fc.nat(17_407), byte: fc.nat(255) });
  fc.assert(
    fc.property(
      fc.array(change, { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 7 }),
      (changes, number) => {
        const disk = good[changes[0]!.which]!.slice();
        for (const { at, byte } of changes) {
          // The first sectors are hit more often than their share.
          disk[at % 3 === 0 ? at % 1024 : at]! = byte;
        }
        if (changes.length > 3) fixChecksums(disk);
        withFile(disk, (path) => {
          let one;
          try {
            one = open(path, `partition=${number}`, [], []);
          } catch (error) {
            assert.match((error as Error).message, /cannot serve partition \d: /);
            return;
          }
          const { sizeLow, sizeHigh } = one.opened.info;
          assert(sizeHigh === 0 && sizeLow <= disk.length);
          if (sizeLow > 0) one.read(sizeLow - 1, 1);
          one.close();
        });
      },
    ),
    { numRuns: 60 },
  );
});

/** Makes the header in front of a changed GPT look right again. */
function fixChecksums(disk: Uint8Array<ArrayBuffer>): void {
  const view = new DataView(disk.buffer);
  const bytes = Math.min(512, view.getUint32(512 + 12, true));
  view.setUint32(512 + 16, 0, true);
  view.setUint32(512 + 16, crc32(disk.subarray(512, 512 + bytes)), true);
}
