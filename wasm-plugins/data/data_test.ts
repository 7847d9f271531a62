// SPDX-License-Identifier: MIT
// The data plugin: other ways to give contents, sizes, holes, and writing over the contents.

import assert from "node:assert/strict";
import fc from "fast-check";
import { TestHost, type TestParameter } from "../test_host.ts";

const SIZE_MAX = 2n ** 63n - 1n;

async function contents(parameters: Record<string, TestParameter>): Promise<string> {
  const host = await TestHost.start("data", parameters);
  return host.size === 0n ? "" : host.read(0n, Number(host.size)).toHex();
}

Deno.test("hex, base64 and raw give bytes too", async () => {
  assert.equal(await contents({ hex: "00 fF\n1234" }), "00ff1234");
  assert.equal(
    await contents({ base64: "aGVsbG8gbmJka2l0IHVzZXI=" }),
    "68656c6c6f206e62646b69742075736572",
  );
  assert.equal(await contents({ base64: "aGVs bG8" }), "68656c6c6f");
  assert.equal(await contents({ raw: "Hello" }), "48656c6c6f");
  assert.equal(await contents({ raw: "Hello", size: 3n }), "48656c");
  assert.equal(await contents({ raw: "Hello", size: 7n }), "48656c6c6f0000");
});

for (
  const [parameters, message] of [
    [{ hex: "0g" }, "cannot parse hex at byte 1: this is no hexadecimal digit"],
    [{ hex: "012" }, "cannot parse hex at byte 3: the second digit of a byte is missing"],
    [{ base64: "a" }, "cannot parse base64 at byte 1: the last group is incomplete"],
    [{ base64: "aa=b" }, "cannot parse base64 at byte 3: something follows the padding"],
    [{ base64: "a-b=" }, "cannot parse base64 at byte 1: this is no character of base64"],
    [{}, "cannot set up the disk: give one of data, hex, base64 and raw"],
    [{ hex: "00", raw: "1" }, "cannot set up the disk: give one of data, hex, base64 and raw"],
  ] as [Record<string, string>, string][]
) {
  Deno.test(`${JSON.stringify(parameters)} is refused`, async () => {
    await assert.rejects(TestHost.start("data", parameters), { errno: 22, message });
  });
}

Deno.test("base64 gives back what was encoded", async () => {
  const bytes = fc.uint8Array({ maxLength: 200 });
  await fc.assert(
    fc.asyncProperty(bytes, async (data) => {
      assert.equal(await contents({ base64: data.toBase64() }), data.toHex());
      assert.equal(await contents({ hex: data.toHex() }), data.toHex());
    }),
    { numRuns: 40 },
  );
});

Deno.test("size extends and cuts, exactly to the byte", async () => {
  assert.equal(await contents({ data: "1 2 3", size: 2n }), "0102");
  assert.equal(await contents({ data: "1 2 3", size: 5n }), "0102030000");
  const host = await TestHost.start("data", { data: "1", size: SIZE_MAX });
  assert.equal(host.size, SIZE_MAX);
  assert.deepEqual(host.extents(0n, SIZE_MAX), [
    { length: 1n, flags: 0 },
    { length: SIZE_MAX - 1n, flags: 3 },
  ]);
});

Deno.test("repetition costs nothing, whatever the size", async () => {
  const host = await TestHost.start("data", { data: "( 0x55 0xAA )*4611686018427387903" });
  assert.equal(host.size, SIZE_MAX - 1n);
  assert.equal(host.read(SIZE_MAX - 8n, 7).toHex(), "aa55aa55aa55aa".slice(0, 14));
  assert.deepEqual(host.extents(0n, host.size), [{ length: host.size, flags: 0 }]);
  assert(host.memoryBytes < 128 << 20);
});

Deno.test("repeated zeroes and what lies between offsets are holes", async () => {
  const host = await TestHost.start("data", { data: "1 0*1T 2 @4T (0 0)*1G 3 @^1M" });
  const tebibyte = 1n << 40n;
  assert.deepEqual(host.extents(0n, host.size), [
    { length: 1n, flags: 0 },
    { length: tebibyte, flags: 3 },
    { length: 1n, flags: 0 },
    { length: 3n * tebibyte - 2n + (2n << 30n), flags: 3 },
    { length: 1n, flags: 0 },
    { length: (1n << 20n) - 1n, flags: 3 },
  ]);
});

Deno.test("holes within a repetition are found, small gaps are data", async () => {
  const sparse = await TestHost.start("data", { data: "( 1 @64K )*1T" });
  const extents = sparse.extents(0n, sparse.size);
  assert.deepEqual(extents.slice(0, 3), [
    { length: 1n, flags: 0 },
    { length: 65535n, flags: 3 },
    { length: 1n, flags: 0 },
  ]);
  assert(extents.length <= 4096);
  const dense = await TestHost.start("data", { data: "( 1 @1000 )*1P" });
  assert.deepEqual(dense.extents(0n, dense.size), [{ length: dense.size, flags: 0 }]);
});

/** Disks over whose contents the next test writes; each is 300,000 bytes or so. */
const WRITTEN = [
  "( 1 2 3 4 5 6 7 )*43000",
  "( 1 @5000 2 3 @20000 )*15",
  "9*300001",
  "7 @300000",
  "1 @6 5*9 0*99999 6",
];

Deno.test("writes, trims and zeroes lie over the contents like over any bytes", async () => {
  const step = fc.record({
    action: fc.constantFrom("write", "trim", "zero", "provision"),
    offset: fc.oneof(fc.nat(100_000), fc.nat(24).map((block) => block * 4096)),
    length: fc.oneof(fc.integer({ min: 1, max: 9000 }), fc.constantFrom(4096, 65536)),
  });
  const run = async (data: string, steps: { action: string; offset: number; length: number }[]) => {
    const host = await TestHost.start("data", { data });
    const model = host.read(0n, Number(host.size));
    for (const { action, offset, length: wanted } of steps) {
      const length = Math.min(wanted, model.length - offset);
      if (length <= 0) continue;
      const [at, count] = [BigInt(offset), BigInt(length)];
      const bytes = Uint8Array.from({ length }, (_, i) => action === "write" ? 1 + i % 200 : 0);
      if (action === "write") host.write(at, bytes);
      else if (action === "trim") host.trim(at, count);
      else host.zero(at, count, action === "zero" ? 2 : 0);
      model.set(bytes, offset);
    }
    assert.deepEqual(host.read(0n, model.length), model);
    let at = 0;
    for (const { length, flags } of host.extents(0n, host.size)) {
      if (flags === 3) assert(model.subarray(at, at + Number(length)).every((byte) => byte === 0));
      at += Number(length);
    }
  };
  const steps = fc.array(step, { maxLength: 12 });
  await fc.assert(fc.asyncProperty(fc.constantFrom(...WRITTEN), steps, run), { numRuns: 100 });
});

Deno.test("trimming exabytes of data takes no memory", async () => {
  const host = await TestHost.start("data", { data: "1*7E" });
  host.trim(5n, 6n << 60n);
  assert.deepEqual(host.extents(0n, host.size), [
    { length: 5n, flags: 0 },
    { length: 6n << 60n, flags: 3 },
    { length: (1n << 60n) - 5n, flags: 0 },
  ]);
});

Deno.test("more holes than the contents can have are stored as zeroes", async () => {
  const host = await TestHost.start("data", { data: "1*1G" });
  for (let i = 0n; i < 70_000n; i++) host.trim(i * 8192n, 4096n);
  assert.equal(host.read(69_999n * 8192n, 4097).toHex(), "00".repeat(4096) + "01");
});
