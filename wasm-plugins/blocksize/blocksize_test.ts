// SPDX-License-Identifier: MIT
// Requests of any place and size above devices that only take some: against a model, at once and later.

import assert from "node:assert/strict";
import fc from "fast-check";
import { assertSameBytes } from "../../tests/support/bytes.ts";
import { TestClient } from "../../core/backend/testing.ts";
import { RequestFlag } from "../../core/block/request.ts";
import type { DeviceOptions } from "../../core/control/options.ts";
import type { PluginDevice } from "../../core/plugin/instance.ts";
import { client, fill, node, useNodes, withFile } from "../test_graph.ts";

const KIB = 1024;
await useNodes(
  "blocksize",
  "blocksize-policy",
  "delay",
  "memory",
  "stats",
  "pattern",
  "nozero",
  "error",
);

/** A disk that only takes requests of whole blocks of `block`, none above `maximum`. */
function strict(block: number, maximum: number, ...below: DeviceOptions[]): DeviceOptions {
  const sizes = `blocksize-minimum=${block} blocksize-maximum=${maximum} blocksize-preferred=${
    Math.max(512, block)
  }`;
  return node(`blocksize-policy ${sizes}`, ...below);
}

const LATER = "delay rdelay=1us wdelay=1us";

for (const [block, maximum] of [[1, 8192], [512, 4096], [4096, 8192], [65536, 65536]] as const) {
  for (const later of [false, true]) {
    Deno.test(`anything above blocks of ${block}, at most ${maximum} (${later ? "later" : "at once"})`, () => {
      const SIZE = 300_000;
      const step = fc.record({
        kind: fc.constantFrom("read", "write", "zero", "trim", "cache", "extents"),
        at: fc.oneof(fc.nat(SIZE - 1), fc.nat(70).map((i) => i * 4096)),
        length: fc.oneof(
          fc.integer({ min: 1, max: 100 }),
          fc.integer({ min: 1, max: 150_000 }),
          fc.nat(10).map((i) => (i + 1) * 4096),
        ),
      });
      fc.assert(
        fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
          const memory = node(`memory ${SIZE}`);
          const disk = client(
            node("blocksize", strict(block, maximum, later ? node(LATER, memory) : memory)),
          );
          const size = SIZE - SIZE % block;
          assert.equal(disk.opened.info.sizeLow, size);
          assert.equal(disk.opened.info.blockSize.minimum, 1);
          const model = new Uint8Array(size);
          steps.forEach((one, i) => apply(disk, model, one, i));
          assertSameBytes(disk.read(0, size), model);
          disk.close();
        }),
        { numRuns: 25 },
      );
    });
  }
}

function apply(
  disk: TestClient,
  model: Uint8Array,
  { kind, at, length }: { kind: string; at: number; length: number },
  seed: number,
): void {
  if (at >= model.length) return;
  length = Math.min(length, model.length - at);
  if (kind === "read") assertSameBytes(disk.read(at, length), model.subarray(at, at + length));
  else if (kind === "write") {
    disk.write(at, fill(length, seed), seed % 3 === 0 ? RequestFlag.Fua : 0);
    model.set(fill(length, seed), at);
  } else if (kind === "zero") {
    disk.zero(at, length);
    model.fill(0, at, at + length);
  } else if (kind === "cache") disk.cache(at, length);
  else if (kind === "extents") {
    const told = disk.extents(at, length);
    let from = at;
    for (const one of told) {
      const end = Math.min(from + one.length, at + length);
      if (one.flags & 2) {
        assert(model.subarray(from, end).every((byte) => byte === 0), "zero is zero");
      }
      from = end;
    }
    assert(from > at);
  } else {
    disk.trim(at, length);
    // What has become of it is the device's business.
    model.set(disk.read(at, length), at);
  }
}

Deno.test("changes of the same block at the same time are all there in the end", () => {
  withFile(fill(64 * KIB, 9), (path) => {
    for (const leaf of [node(`file ${path}`), node(LATER, node("memory 64K"))]) {
      const disk = client(node("blocksize minblock=4K", leaf));
      const model = disk.read(0, 64 * KIB);
      for (let round = 0; round < 20; round++) {
        const writes = Array.from({ length: 200 }, (_, i) => {
          // Parts that do not overlap, of blocks that they share; some of them whole blocks.
          const at = i * 300 + (i % 5);
          const length = i % 50 === 0 ? 1 : 290;
          model.set(fill(length, round + i), at);
          return disk.writeRequest(at, fill(length, round + i), 0);
        });
        assert.deepEqual(disk.together(writes), new Array(200).fill(0));
        disk.giveBack();
      }
      assertSameBytes(disk.read(0, 64 * KIB), model);
      disk.close();
    }
  });
});

Deno.test("a whole block and a part of it do not tear each other", () => {
  const disk = client(node("blocksize minblock=4K", node(LATER, node("memory 64K"))));
  for (let round = 1; round < 50; round++) {
    const whole = disk.writeRequest(0, new Uint8Array(8192).fill(round), 0);
    const part = disk.writeRequest(100, new Uint8Array(10).fill(200), 0);
    const other = disk.writeRequest(4000, new Uint8Array(200).fill(201), 0);
    assert.deepEqual(disk.together(round % 2 ? [whole, part, other] : [part, other, whole]), [
      0,
      0,
      0,
    ]);
    disk.giveBack();
    const bytes = disk.read(0, 8192);
    for (let i = 0; i < 8192; i++) {
      if ((i < 100 || i >= 110) && (i < 4000 || i >= 4200)) {
        assert.equal(bytes[i], round, `${round}: ${i}`);
      }
    }
    assert([round, 200].includes(bytes[105]!));
  }
  disk.close();
});

/** What arrives below. */
function counts(disk: TestClient): Record<string, number> {
  const [stats] = (disk.device as PluginDevice).children as readonly PluginDevice[];
  return Object.fromEntries(stats!.metrics().map(({ name, value }) => [name, value]));
}

Deno.test("what fits is passed on as it is; what does not is split", () => {
  const disk = client(
    node("blocksize minblock=4K maxdata=8K maxlen=1M", node("stats", node("memory 64M"))),
  );
  disk.write(4096, fill(8192, 1));
  assert.equal(counts(disk)["writes"], 1);
  assert.equal(counts(disk)["reads"], 0);
  disk.write(0, fill(20_000, 1));
  // 16 KiB in two, and a block that is read and written.
  assert.deepEqual([counts(disk)["writes"], counts(disk)["reads"]], [1 + 3, 1]);
  disk.read(0, 16_384);
  assert.equal(counts(disk)["reads"], 1 + 2);
  disk.read(100, 50);
  assert.deepEqual([counts(disk)["reads"], counts(disk)["read_bytes"]], [4, 4096 + 16_384 + 4096]);
  disk.zero(0, 40 << 20);
  assert.equal(counts(disk)["zeroes"], 40);
  disk.trim(1, 40 << 20);
  assert.deepEqual([counts(disk)["trims"], counts(disk)["trimmed_bytes"]], [40, (40 << 20) - 4096]);
  disk.trim(1, 4096);
  assert.equal(counts(disk)["trims"], 40, "no whole block");
  disk.close();
});

Deno.test("requests without data may have any number of steps", () => {
  const below = node("stats", node("memory 8G"));
  for (const kind of ["zero", "trim", "cache"] as const) {
    const disk = client(node("blocksize minblock=4K maxdata=4K maxlen=256K", below));
    if (kind === "cache") disk.cache(1, 2 ** 31);
    else disk[kind](1, 2 ** 31);
    const name = { zero: "zeroes", trim: "trims", cache: "" }[kind];
    if (name !== "") assert(counts(disk)[name]! > 8000);
    disk.close();
  }
});

Deno.test("fast zeroes that would be slow fail at once", () => {
  withFile(fill(64 * KIB, 1), (path) => {
    const disk = client(node("blocksize minblock=4K", node(`file ${path}`)));
    assert.throws(() => disk.zero(1, 8192, RequestFlag.FastZero), { errno: 95 });
    disk.zero(4096, 8192, RequestFlag.FastZero);
    disk.write(5, fill(10, 3), RequestFlag.Fua);
    disk.close();
    assertSameBytes(Deno.readFileSync(path).subarray(5, 15), fill(10, 3));
  });
});

Deno.test("errors below fail the request, and the next one works", () => {
  for (const call of ["pread", "pwrite"]) {
    const below = node(
      LATER,
      node(`error error-${call}-rate=1 error-range=4096-8191`, node("memory 64K")),
    );
    const disk = client(node("blocksize minblock=4K", below));
    const failing = [
      disk.writeRequest(5000, fill(10, 1), 0),
      disk.writeRequest(5020, fill(10, 1), 0),
    ];
    const good = disk.writeRequest(100, fill(10, 1), 0);
    assert.deepEqual(disk.together([...failing, good]), [5, 5, 0]);
    disk.giveBack();
    if (call === "pread") assert.throws(() => disk.read(0, 20_000), { errno: 5 });
    disk.write(8192, fill(100, 2));
    assertSameBytes(disk.read(8192, 100), fill(100, 2));
    disk.close();
  }
});

Deno.test("limits that the device does not take are refused with a sentence", () => {
  const refused = (parameters: string, message: RegExp) => {
    assert.throws(
      () => client(node(`blocksize ${parameters}`, strict(4096, 65536, node("memory 1M")))),
      message,
    );
  };
  refused("minblock=3000", /cannot use minblock=3000: it must be a power of two, 1 to 65536/);
  refused("minblock=512", /cannot use minblock=512: the device takes no blocks below 4096/);
  refused("minblock=8K maxdata=12K", /they must be multiples of minblock/);
  refused("maxdata=128K", /cannot use maxdata=131072: the device takes no requests above 65536/);
  refused("maxdata=64K maxlen=32K", /cannot use maxlen: it must be at least maxdata/);
});
