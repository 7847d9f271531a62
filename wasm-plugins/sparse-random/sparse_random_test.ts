// SPDX-License-Identifier: MIT
// The sparse-random plugin: that its layout is what was asked for, and its parts agree.

import assert from "node:assert/strict";
import fc from "fast-check";
import { CallFlag, type StatusExtent, TestHost, type TestParameter } from "../test_host.ts";

const SIZE_MAX = 2n ** 63n - 1n;

function start(parameters: Record<string, TestParameter>): Promise<TestHost> {
  return TestHost.start("sparse-random", { size: 1n << 40n, ...parameters });
}

/** All extents from `offset` on, however many calls that takes. */
function allExtents(host: TestHost, offset: bigint, length: bigint): StatusExtent[] {
  const extents: StatusExtent[] = [];
  const end = offset + length;
  while (offset < end) {
    for (const extent of host.extents(offset, end - offset)) {
      extents.push(extent);
      offset += extent.length;
    }
  }
  return extents;
}

interface Shape {
  percent: number;
  runlength: bigint;
  blocksize: bigint;
}

/** Share of data in per cent, average length of a run of data, number of runs. */
async function measure({ percent, runlength, blocksize }: Shape, length: bigint) {
  const share = BigInt(Math.round(percent * 10000));
  const host = await start({ seed: 5n, percent: share, runlength, blocksize });
  const data = allExtents(host, 0n, length).filter(({ flags }) => flags === 0);
  const total = data.reduce((sum, extent) => sum + extent.length, 0n);
  return { percent: Number(total) / Number(length) * 100, run: Number(total) / data.length };
}

const SHAPES: Shape[] = [
  { percent: 10, runlength: 16n << 20n, blocksize: 4096n },
  { percent: 50, runlength: 1n << 20n, blocksize: 4096n },
  { percent: 1, runlength: 64n << 10n, blocksize: 512n },
  { percent: 25, runlength: 65536n, blocksize: 65536n },
];

for (const shape of SHAPES) {
  Deno.test(`${shape.percent} % in runs of ${shape.runlength} comes out like that`, async () => {
    const found = await measure(shape, shape.runlength * 200_000n / BigInt(shape.percent));
    assert(Math.abs(found.percent / shape.percent - 1) < 0.05, `${found.percent} %`);
    assert(Math.abs(found.run / Number(shape.runlength) - 1) < 0.35, `runs of ${found.run}`);
  });
}

for (const percent of [60, 80, 95, 99.9]) {
  Deno.test(`the share of ${percent} % is kept where runs of one block are too short`, async () => {
    const shape = { percent, runlength: 4096n, blocksize: 4096n };
    const found = await measure(shape, 200_000n * 4096n);
    assert(Math.abs(found.percent - percent) < 1, `${found.percent} %`);
  });
}

Deno.test("no data and nothing but data are one extent each, of any size", async () => {
  for (const [percent, flags] of [[0n, 3], [1_000_000n, 0]] as const) {
    const host = await start({ size: SIZE_MAX, percent });
    assert.deepEqual(host.extents(0n, SIZE_MAX), [{ length: SIZE_MAX, flags }]);
  }
});

Deno.test("neighbouring extents differ and lie on block boundaries", async () => {
  const host = await start({ blocksize: 8192n, runlength: 65536n, percent: 700_000n });
  const extents = allExtents(host, 0n, 1n << 28n);
  extents.forEach((extent, index) => {
    assert.equal(extent.length % 8192n, 0n);
    if (index > 0) assert.notEqual(extent.flags, extents[index - 1]!.flags);
  });
});

Deno.test("reads and extents agree, from any offset", async () => {
  const hosts = [
    await start({ size: SIZE_MAX, runlength: 16384n, percent: 400_000n, seed: 1n }),
    await start({ size: SIZE_MAX, runlength: 4096n, blocksize: 1024n, percent: 800_000n }),
    await start({ size: SIZE_MAX, runlength: 16384n, percent: 400_000n, "random-content": 1n }),
  ];
  const range = fc.record({
    host: fc.constantFrom(...hosts),
    offset: fc.oneof(fc.bigInt(0n, SIZE_MAX - 99_999n), fc.bigInt(0n, 99_999n)),
    length: fc.integer({ min: 1, max: 99_999 }),
    cut: fc.nat(99_999),
  });
  fc.assert(
    fc.property(range, ({ host, offset, length, cut }) => {
      const bytes = host.read(offset, length);
      let at = 0;
      for (const extent of allExtents(host, offset, BigInt(length))) {
        const part = bytes.subarray(at, at + Number(extent.length));
        if (extent.flags === 3) assert(part.every((byte) => byte === 0));
        else if (part.length >= 16) assert(part.some((byte) => byte !== 0));
        at += part.length;
      }
      // The same bytes whatever the read begins with.
      const from = cut % length;
      assert.deepEqual(host.read(offset + BigInt(from), length - from), bytes.subarray(from));
      host.write(offset, bytes);
      bytes[from]! ^= 1;
      assert.throws(() => host.write(offset, bytes), { errno: 5 });
    }),
    { numRuns: 60 },
  );
});

Deno.test("a block holds one byte that is not zero, and the next one mostly another", async () => {
  const host = await start({ percent: 1_000_000n, blocksize: 512n });
  const bytes = host.read(1n << 30n, 512 * 1000);
  const values = new Set<number>();
  for (let at = 0; at < bytes.length; at += 512) {
    const value = bytes[at]!;
    assert.notEqual(value, 0);
    assert(bytes.subarray(at, at + 512).every((byte) => byte === value));
    values.add(value);
  }
  assert(values.size > 200);
});

Deno.test("seeds make a difference", async () => {
  const [one, other] = [await start({ seed: 1n }), await start({ seed: 2n })];
  assert.notDeepEqual(one.extents(0n, 1n << 40n), other.extents(0n, 1n << 40n));
  const again = await start({ seed: 1n });
  assert.deepEqual(one.extents(0n, 1n << 40n), again.extents(0n, 1n << 40n));
});

Deno.test("zeroing succeeds in holes of any length and fails on data", async () => {
  const host = await start({ percent: 1000n, runlength: 1n << 30n });
  const [hole] = host.extents(0n, 1n << 40n);
  assert.equal(hole!.flags, 3);
  host.zero(0n, hole!.length);
  assert.throws(() => host.zero(0n, hole!.length + 1n), { errno: 5 });
});

Deno.test("extents are bounded in number", async () => {
  const host = await start({ runlength: 4096n, percent: 300_000n });
  assert.equal(host.extents(0n, 1n << 40n).length, 4096);
  assert.equal(host.extents(0n, 1n << 40n, CallFlag.ReqOne).length, 1);
});

Deno.test("a block size that is no power of two and runs below a block are refused", async () => {
  const message = "cannot use the block size: it is not a power of two";
  await assert.rejects(start({ blocksize: 5000n }), { errno: 22, message });
  await assert.rejects(start({ runlength: 512n }), { errno: 22 });
});
