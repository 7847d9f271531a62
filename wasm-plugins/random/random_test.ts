// SPDX-License-Identifier: MIT
// The random plugin against SplitMix64 written down a second time.

import assert from "node:assert/strict";
import fc from "fast-check";
import { TestHost } from "../test_host.ts";

const SIZE_MAX = 2n ** 63n - 1n;
const GAMMA = 0x9e3779b97f4a7c15n;

function scramble(value: bigint): bigint {
  value = BigInt.asUintN(64, (value ^ (value >> 30n)) * 0xbf58476d1ce4e5b9n);
  value = BigInt.asUintN(64, (value ^ (value >> 27n)) * 0x94d049bb133111ebn);
  return value ^ (value >> 31n);
}

/** Number `index` of SplitMix64 seeded with `key`. */
function splitMix(key: bigint, index: bigint): bigint {
  return scramble(BigInt.asUintN(64, key + (index + 1n) * GAMMA));
}

function randomByte(seed: bigint, offset: bigint): number {
  return Number(splitMix(scramble(seed), offset / 8n) >> (8n * (offset % 8n)) & 255n);
}

Deno.test("the model is SplitMix64", () => {
  const published = [6457827717110365317n, 3203168211198807973n, 9817491932198370423n];
  assert.deepEqual(published.map((_, index) => splitMix(1234567n, BigInt(index))), published);
});

Deno.test("any range anywhere is a function of seed and offset", async () => {
  const range = fc.record({
    seed: fc.oneof(fc.bigInt(0n, 5n), fc.bigInt(0n, SIZE_MAX)),
    offset: fc.oneof(fc.bigInt(0n, SIZE_MAX - 2000n), fc.bigInt(0n, 2000n)),
    length: fc.integer({ min: 1, max: 2000 }),
  });
  await fc.assert(fc.asyncProperty(range, async ({ seed, offset, length }) => {
    const host = await TestHost.start("random", { size: SIZE_MAX, seed });
    const expected = Uint8Array.from({ length }, (_, i) => randomByte(seed, offset + BigInt(i)));
    assert.deepEqual(host.read(offset, length), expected);
  }));
});

Deno.test("seed 0 is the default and gives the published start of its sequence", async () => {
  const host = await TestHost.start("random", { size: 1n << 40n });
  const words = new BigUint64Array(host.read(0n, 16).buffer);
  assert.deepEqual([...words], [0xe220a8397b1dcdafn, 0x6e789e6aa1b965f4n]);
});

Deno.test("bytes are spread evenly and do not compress", async () => {
  const host = await TestHost.start("random", { size: 1n << 40n, seed: 42n });
  const bytes = host.read(1n << 35n, 1 << 20);
  const counts = new Uint32Array(256);
  for (const byte of bytes) counts[byte]!++;
  // 4096 of each are expected; five standard deviations are 320.
  assert(counts.every((count) => Math.abs(count - 4096) < 400), `${counts}`);
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  assert((await new Response(stream).arrayBuffer()).byteLength > bytes.length);
});

Deno.test("writing what is there succeeds, anything else fails", async () => {
  const host = await TestHost.start("random", { size: 1n << 40n, seed: 1n });
  const data = host.read(4321n, 70_000);
  host.write(4321n, data);
  data[69_999]! ^= 1;
  assert.throws(() => host.write(4321n, data), { errno: 5 });
  assert.throws(() => host.zero(0n, 1n << 40n), { errno: 5 });
});
