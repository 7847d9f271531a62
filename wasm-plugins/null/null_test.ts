// SPDX-License-Identifier: MIT
// The plugins whose disks have one value everywhere: null, zero and ones.

import assert from "node:assert/strict";
import { TestHost } from "../test_host.ts";

const SIZE_MAX = 2n ** 63n - 1n;

for (const name of ["null", "zero"]) {
  Deno.test(`${name} is one hole of any size`, async () => {
    const host = await TestHost.start(name, { size: SIZE_MAX });
    assert.equal(host.size, SIZE_MAX);
    assert.deepEqual(host.extents(1n, SIZE_MAX - 1n), [{ length: SIZE_MAX - 1n, flags: 3 }]);
    assert.deepEqual(host.pieces(1n, SIZE_MAX - 1n).map(({ kind }) => kind), ["hole"]);
  });
}

Deno.test("null and ones have no size unless one is given, zero needs one", async () => {
  assert.equal((await TestHost.start("null")).size, 0n);
  assert.equal((await TestHost.start("ones")).size, 0n);
  await assert.rejects(TestHost.start("zero"), /size is required/);
});

Deno.test("null takes writes and forgets them", async () => {
  const host = await TestHost.start("null", { size: 5000n });
  host.write(3n, Uint8Array.of(1, 2, 3));
  host.zero(0n, 10n);
  host.trim(0n, 10n);
  host.flush();
  assert.deepEqual(host.read(0n, 10), new Uint8Array(10));
});

Deno.test("zero cannot be written", async () => {
  const host = await TestHost.start("zero", { size: 5000n });
  for (const name of ["sb_pwrite", "sb_zero", "sb_trim"]) assert(!host.has(name));
});

for (const byte of [undefined, 0n, 0x5an]) {
  Deno.test(`ones reads as ${byte ?? "255 by default"} everywhere`, async () => {
    const host = await TestHost.start("ones", {
      size: SIZE_MAX,
      ...(byte !== undefined && { byte }),
    });
    const length = 1_000_003;
    const expected = new Uint8Array(length).fill(Number(byte ?? 255n));
    assert.deepEqual(host.read(SIZE_MAX - BigInt(length), length), expected);
    host.write(0n, Uint8Array.of(1, 2, 3));
    host.zero(0n, 3n);
    host.trim(0n, 3n);
    assert.deepEqual(host.read(0n, 5), expected.slice(0, 5));
  });
}

Deno.test("ones answers a large read in few pieces of memory that stays", async () => {
  const host = await TestHost.start("ones", { size: 1n << 40n });
  const pieces = host.pieces(12345n, 1n << 20n);
  assert.equal(pieces.length, 4);
  assert(pieces.every(({ stable }) => stable));
});
