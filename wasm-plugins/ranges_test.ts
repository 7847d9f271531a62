// SPDX-License-Identifier: MIT
// Filters that treat ranges of a device in their own way: truncate, protect, error.

import assert from "node:assert/strict";
import fc from "fast-check";
import { assertSameBytes } from "../tests/support/bytes.ts";
import { Refused } from "../core/backend/testing.ts";
import { Command } from "../core/block/request.ts";
import { client, fill, node, useNodes, withFile } from "./test_graph.ts";

const KIB = 1024;
const MIB = 1 << 20;
await useNodes("truncate", "protect", "error", "memory", "delay", "pattern", "noextents");

/** What the filters are above: memory, and memory that answers later. */
const BELOW = ["memory 100000", "delay rdelay=1us wdelay=1us"].map((line, index) => {
  return index === 0 ? node(line) : node(line, node("memory 100000"));
});

Deno.test("truncate: the size is set, rounded up, rounded down, in this order", () => {
  const size = (parameters: string) => {
    const disk = client(node(`truncate ${parameters}`, node("memory 1000")));
    const { sizeLow } = disk.opened.info;
    disk.close();
    return sizeLow;
  };
  assert.equal(size("truncate=10"), 10);
  assert.equal(size("truncate=5000"), 5000);
  assert.equal(size("round-up=512"), 1024);
  assert.equal(size("round-up=1000"), 1000);
  assert.equal(size("round-down=512"), 512);
  assert.equal(size("round-down=2000"), 0);
  assert.equal(size("truncate=1500 round-up=1K round-down=3000"), 0);
  assert.equal(size("truncate=3500 round-up=1K round-down=3000"), 3000);
  const largest = client(node("truncate truncate=9223372036854775807", node("memory 1000")));
  assert.deepEqual(largest.read(2n ** 62n, 3), new Uint8Array(3));
  largest.close();
  assert.throws(() => size("truncate=9223372036854775807 round-up=512"), /it has at most 63 bits/);
});

for (const [index, below] of BELOW.entries()) {
  const when = index === 0 ? "at once" : "later";
  Deno.test(`truncate: what is behind the end is zero and stays so (${when})`, () => {
    const disk = client(node("truncate truncate=200000", below));
    const model = new Uint8Array(200_000);
    disk.write(0, fill(100_000, 1));
    model.set(fill(100_000, 1));
    assertSameBytes(disk.read(0, 200_000), model);
    assertSameBytes(disk.read(99_999, 2), model.subarray(99_999, 100_001));
    assertSameBytes(disk.read(150_000, 50_000), new Uint8Array(50_000));
    assert.throws(() => disk.write(199_999, Uint8Array.of(1)), { errno: 28 });
    // Nothing of a write that goes beyond is done.
    const crossing = new Uint8Array(60_000);
    crossing[59_999] = 1;
    assert.throws(() => disk.write(90_000, crossing), /only zeroes are there/);
    assertSameBytes(disk.read(0, 200_000), model);
    crossing[59_999] = 0;
    disk.write(90_000, crossing);
    model.fill(0, 90_000);
    disk.write(120_000, new Uint8Array(80_000));
    disk.zero(80_000, 120_000);
    model.fill(0, 80_000);
    disk.trim(199_000, 1000);
    disk.trim(70_000, 100_000);
    disk.flush();
    assertSameBytes(disk.read(0, 70_000), model.subarray(0, 70_000));
    disk.close();
  });
}

Deno.test("truncate: what is behind the end is a hole", () => {
  const disk = client(node("truncate truncate=1M", node("pattern 64K")));
  const extents = disk.extents(0, MIB);
  assert.equal(extents[0]!.flags, 0);
  assert(extents[0]!.length <= 64 * KIB);
  assert.deepEqual(disk.extents(64 * KIB, MIB - 64 * KIB), [{ length: MIB - 64 * KIB, flags: 3 }]);
  disk.close();
  const plain = client(node("truncate truncate=1M", node("noextents", node("memory 64K"))));
  assert.deepEqual(plain.extents(100, MIB - 100), [{ length: 64 * KIB - 100, flags: 0 }]);
  plain.close();
});

for (const [index, below] of BELOW.entries()) {
  const when = index === 0 ? "at once" : "later";
  Deno.test(`protect: only what changes nothing is written there (${when})`, () => {
    const disk = client(node("protect protect=0-0x1ff protect=50000-69999 protect=99999-", below));
    assert.throws(() => disk.write(511, Uint8Array.of(1)), { errno: 1 });
    disk.write(511, Uint8Array.of(0));
    disk.write(512, fill(1000, 1));
    const crossing = new Uint8Array(90_000).fill(7);
    crossing.fill(0, 48_000, 68_000);
    disk.write(2000, crossing);
    const model = new Uint8Array(100_000);
    model.set(fill(1000, 1), 512);
    model.set(crossing, 2000);
    assertSameBytes(disk.read(0, 100_000), model);
    crossing[48_000] = 1;
    crossing[0] = 1;
    assert.throws(
      () => disk.write(2000, crossing),
      /cannot change what is protected: 20000 bytes at 50000/,
    );
    assert.throws(() => disk.write(99_998, Uint8Array.of(1, 1)), Refused);
    assertSameBytes(disk.read(0, 100_000), model);
    disk.zero(0, 100_000);
    assertSameBytes(disk.read(0, 100_000), new Uint8Array(100_000));
    disk.trim(0, 100_000);
    disk.close();
  });
}

Deno.test("protect: zeroes and trims are no way around it", () => {
  withFile(fill(100_000, 3), (path) => {
    const disk = client(node("protect protect=~1000-1999", node(`file ${path}`)));
    assert.throws(() => disk.zero(500, 1000), { errno: 1 });
    assert.throws(() => disk.trim(0, 1000), { errno: 1 });
    disk.zero(1000, 1000);
    disk.write(0, fill(1000, 3));
    disk.close();
    const model = fill(100_000, 3);
    model.fill(0, 1000, 2000);
    assertSameBytes(Deno.readFileSync(path), model);
  });
});

Deno.test("protect: random ranges and writes, against a model", () => {
  const SIZE = 3000;
  const range = fc.tuple(fc.nat(SIZE - 1), fc.nat(400), fc.boolean());
  const write = fc.record({
    at: fc.nat(SIZE - 1),
    length: fc.integer({ min: 1, max: 1200 }),
    byte: fc.nat(2),
  });
  fc.assert(
    fc.property(
      fc.array(range, { minLength: 1, maxLength: 5 }),
      fc.array(write, { maxLength: 20 }),
      (ranges, writes) => {
        const isProtected = new Uint8Array(SIZE);
        const parameters = ranges.map(([start, more, others]) => {
          const end = start + more;
          for (let i = 0; i < SIZE; i++) {
            if ((i >= start && i <= end) !== others) isProtected[i] = 1;
          }
          return `protect=${others ? "~" : ""}${start}-${end}`;
        });
        const disk = client(node(`protect ${parameters.join(" ")}`, node(`memory ${SIZE}`)));
        const model = new Uint8Array(SIZE);
        for (const { at, length, byte } of writes) {
          const end = Math.min(SIZE, at + length);
          let good = true;
          for (let i = at; i < end; i++) if (isProtected[i] && model[i] !== byte) good = false;
          const data = new Uint8Array(end - at).fill(byte);
          if (good) {
            disk.write(at, data);
            model.set(data, at);
          } else assert.throws(() => disk.write(at, data), { errno: 1 });
        }
        assertSameBytes(disk.read(0, SIZE), model);
        disk.close();
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("protect and error: what is no range is refused with a sentence", () => {
  for (const text of ["", "5", "5-4", "a-b", "1-2-3", "~", "1-2x", "99999999999999999999-"]) {
    assert.throws(
      () => client(node(`protect protect=${text}`, node("memory 1000"))),
      /cannot parse protect ".*": (a range is written START-END, such as 0-511|it ends before it begins)/,
      text,
    );
  }
  assert.throws(
    () => client(node("error error-range=7", node("memory 1000"))),
    /cannot parse error-range "7"/,
  );
});

/** The errnos of `count` reads of 512 bytes, one after the other. */
function reads(parameters: string, count: number): number[] {
  const disk = client(node(`error ${parameters}`, node("memory 1M")));
  const errnos = Array.from({ length: count }, (_, i) => {
    return disk.opened.submit(disk.request(Command.Read, i * 512, 512n, 0));
  });
  disk.giveBack();
  disk.close();
  return errnos;
}

Deno.test("error: nothing, everything, or a part fails", () => {
  const count = (errnos: number[]) => errnos.filter((errno) => errno !== 0).length;
  assert.equal(count(reads("error=EPERM", 100)), 0);
  assert.deepEqual(reads("error-rate=100%", 3), [5, 5, 5]);
  assert.deepEqual(reads("error-rate=1 error=ENOSPC", 3), [28, 28, 28]);
  for (const rate of ["25%", "0.25"]) {
    const failed = count(reads(`error-rate=${rate}`, 2000));
    assert(failed > 400 && failed < 600, `${failed} of 2000`);
  }
});

Deno.test("error: the same seed gives the same errors, another one others", () => {
  const once = reads("error-rate=50% error-seed=7", 200);
  assert.deepEqual(reads("error-rate=50% error-seed=7", 200), once);
  assert.notDeepEqual(reads("error-rate=50% error-seed=8", 200), once);
});

Deno.test("error: kinds have errors and rates of their own", () => {
  const disk = client(
    node(
      "error error-rate=1 error=EIO error-pread-rate=0 error-pwrite=ENOSPC error-trim=EPERM " +
        "error-zero=ESHUTDOWN error-extents=ETIMEDOUT error-flush-rate=0%",
      node("memory 1M"),
    ),
  );
  disk.read(0, 512);
  disk.flush();
  assert.throws(() => disk.write(0, fill(10, 1)), {
    errno: 28,
    text: "the filter error has made it fail",
  });
  assert.throws(() => disk.trim(0, 512), { errno: 1 });
  assert.throws(() => disk.zero(0, 512), { errno: 108 });
  assert.throws(() => disk.extents(0, 512), { errno: 110 });
  assert.throws(() => disk.cache(0, 512), { errno: 5 });
  disk.close();
});

Deno.test("error: only requests that touch the ranges fail", () => {
  const disk = client(
    node("error error-rate=1 error-range=1000-1999 error-range=500K-", node("memory 1M")),
  );
  disk.read(0, 1000);
  disk.read(2000, 510_000 - 2000);
  for (const [at, length] of [[999, 2], [1999, 1], [0, 5000], [MIB - 1, 1]] as const) {
    assert.throws(() => disk.read(at, length), { errno: 5 }, `${at} ${length}`);
  }
  disk.close();
});

Deno.test("error: what is no rate is refused with a sentence", () => {
  for (const text of ["", "x", "101%", "1.1", "1%%", "-1", "10", ".5", "1."]) {
    assert.throws(
      () => client(node(`error error-rate=${text}`, node("memory 1000"))),
      /cannot parse the rate ".*": it is a percentage, such as 10%, or a number from 0 to 1/,
      text,
    );
  }
});
