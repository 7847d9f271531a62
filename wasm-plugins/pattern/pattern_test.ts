// SPDX-License-Identifier: MIT
// The pattern plugin against bytes and digests taken from nbdkit's pattern plugin.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { TestHost } from "../test_host.ts";

const SIZE_MAX = 2n ** 63n - 1n;

/** Reads all of a disk and digests it. */
async function digest(size: bigint, step: number): Promise<string> {
  const host = await TestHost.start("pattern", { size });
  const hash = createHash("sha256");
  for (let at = 0n; at < size; at += BigInt(step)) {
    hash.update(host.read(at, Math.min(step, Number(size - at))));
  }
  return hash.digest("hex");
}

/** Byte `offset` of the pattern. */
function patternByte(offset: bigint): number {
  return Number((offset & ~7n) >> (56n - 8n * (offset & 7n)) & 255n);
}

const GOLDEN: [offset: bigint, hex: string][] = [
  [0n, "0000000000000000000000000000000800000000000000100000000000000018"],
  [253n, "0000f8000000000000010000000000000001080000"],
  [4294967291n, "00fffffff800000001000000000000000100000008"],
  [72057594037927933n, "fffff8010000000000000001000000000000080100"],
  [9223372036854775786n, "ffffffffffe87ffffffffffffff07fffffffffffff"],
];

for (const [offset, hex] of GOLDEN) {
  Deno.test(`the bytes at ${offset} are those of nbdkit`, async () => {
    const host = await TestHost.start("pattern", { size: SIZE_MAX });
    assert.equal(host.read(offset, hex.length / 2).toHex(), hex);
  });
}

Deno.test("whole disks are those of nbdkit, however they are read", async () => {
  const megabyte = "cff1723696b5041964ccebba35003e62d6024d1dd4596f0463f0f438ead34c00";
  assert.equal(await digest(1n << 20n, 1 << 20), megabyte);
  assert.equal(await digest(1n << 20n, 4097), megabyte);
  const odd = "dfbe4f68de1b41959730aaba26348a8c7ed68608b40a17c0c0761bc1b88c48f3";
  assert.equal(await digest(1_000_003n, 999), odd);
});

Deno.test("any range anywhere holds its offsets", async () => {
  const host = await TestHost.start("pattern", { size: SIZE_MAX });
  const offsets = fc.oneof(
    fc.bigInt(0n, SIZE_MAX - 3000n),
    fc.bigInt(0n, 5000n),
    fc.bigInt(0n, 3000n).map((by) => SIZE_MAX - 3000n - by),
  );
  fc.assert(fc.property(offsets, fc.integer({ min: 1, max: 3000 }), (offset, length) => {
    const expected = Uint8Array.from({ length }, (_, i) => patternByte(offset + BigInt(i)));
    assert.deepEqual(host.read(offset, length), expected);
  }));
});

Deno.test("writing the pattern succeeds, writing anything else fails and says where", async () => {
  const host = await TestHost.start("pattern", { size: 1n << 40n });
  const offset = (1n << 33n) + 5n;
  const data = host.read(offset, 100_001);
  host.write(offset, data);
  for (const at of [0, 4095, 50_000, 100_000]) {
    const wrong = data.slice();
    wrong[at]! ^= 0x10;
    const message = `cannot write byte ${offset + BigInt(at)}: ` +
      "it differs from what the disk holds, which cannot be changed";
    assert.throws(() => host.write(offset, wrong), { errno: 5, message });
  }
});

Deno.test("zeroing succeeds only where the pattern is zero", async () => {
  const host = await TestHost.start("pattern", { size: 1n << 40n });
  host.zero(0n, 15n);
  host.zero(1n << 32n, 3n);
  assert.throws(() => host.zero(0n, 16n), { errno: 5 });
  assert.throws(() => host.zero(1n << 20n, 1n << 39n), { errno: 5 });
});
