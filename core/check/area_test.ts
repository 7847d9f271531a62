// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import fc from "fast-check";
import { Area, areasOf } from "./area.ts";
import { cutsOf, randomCut } from "./cuts.ts";
import { Random } from "./random.ts";

const block = fc.nat(7).map((power) => 512 << power);

Deno.test("areas lie in the device, in whole blocks, in order, apart, at both ends", () => {
  const size = fc.oneof(fc.bigInt(0n, 1n << 22n), fc.bigInt(0n, (1n << 63n) - 1n));
  fc.assert(fc.property(size, fc.oneof(block, fc.constant(1)), (size, block) => {
    const areas = areasOf(size, block);
    const end = size - size % BigInt(block);
    if (end === 0n) return assert.deepEqual(areas, []);
    let next = 0n;
    for (const { base, length } of areas) {
      assert.ok(base >= next && length > 0);
      assert.equal(base % BigInt(block), 0n);
      assert.equal(length % block, 0);
      next = base + BigInt(length);
    }
    assert.equal(areas[0]!.base, 0n);
    assert.equal(next, end);
  }));
});

Deno.test("a large device is looked at where 32 bits end", () => {
  const around = 1n << 32n;
  const found = areasOf(1n << 40n, 1).find(({ base }) => base < around && base > around - 300_000n);
  assert.ok(found !== undefined && found.base + BigInt(found.length) > around);
});

Deno.test("an area tells the first byte that differs, and not of bytes that are unknown", () => {
  const area = new Area(1000n, 8);
  area.write(0, Uint8Array.of(1, 2, 3, 4));
  area.fill(4, 2, 9);
  assert.equal(area.difference(0, Uint8Array.of(1, 2, 3, 4, 9, 9, 77, 77)), "");
  const text = area.difference(2, Uint8Array.of(3, 5, 8));
  assert.equal(text, "the byte at 1003 is 0x05; it must be 0x04");
  area.forget(3, 1);
  assert.match(area.difference(2, Uint8Array.of(3, 5, 8)), /at 1004 is 0x08; it must be 0x09/);
});

Deno.test("cuts are different ranges of whole blocks, as long as they may be", () => {
  fc.assert(fc.property(block, fc.integer({ min: 1, max: 600 }), (block, blocks) => {
    const length = block * blocks;
    const most = Math.max(block, 131072);
    const cuts = cutsOf(length, block, most);
    assert.equal(new Set(cuts.map(String)).size, cuts.length);
    const random = new Random(7);
    for (const [at, count] of [...cuts, randomCut(random, length, block, most)]) {
      assert.ok(at >= 0 && count > 0 && at + count <= length && count <= most);
      assert.equal((at | count) % block, 0);
    }
    assert.ok(cuts.some(([at]) => at === 0));
    assert.ok(cuts.some(([at, count]) => at + count === length));
  }));
});

Deno.test("a device of single bytes is cut beside every edge", () => {
  const cuts = new Set(cutsOf(1 << 20, 1, 1 << 20).map(String));
  for (
    const cut of ["0,1", "4095,2", "4096,511", "65535,1", "65535,513", "1048575,1", "0,1048576"]
  ) {
    assert.ok(cuts.has(cut), cut);
  }
});
