// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import fc from "fast-check";
import { highOf, lowOf, toBigInt, toNumber, within } from "./uint64.ts";

const uint64 = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.bigInt({ min: 2n ** 63n - 3n, max: 2n ** 63n + 3n }),
  fc.bigInt({ min: 2n ** 32n - 3n, max: 2n ** 32n + 3n }),
  fc.bigInt({ min: 0n, max: 3n }),
);

Deno.test("halves put together give the value", () => {
  fc.assert(fc.property(uint64, (value) => {
    assert.equal(toBigInt(highOf(value), lowOf(value)), value);
    assert.equal(toNumber(highOf(value), lowOf(value)), Number(value));
  }));
});

Deno.test("within() agrees with exact arithmetic, at the edges too", () => {
  fc.assert(
    fc.property(uint64, uint64, uint64, (offset, length, size) => {
      const got = within(
        highOf(offset),
        lowOf(offset),
        highOf(length),
        lowOf(length),
        highOf(size),
        lowOf(size),
      );
      assert.equal(got, offset + length <= size);
    }),
    { numRuns: 2000 },
  );
});
