// SPDX-License-Identifier: MIT
// Filters in any order on one another, which together change nothing: against a model.

import assert from "node:assert/strict";
import fc from "fast-check";
import { assertSameBytes } from "../tests/support/bytes.ts";
import { Refused, type TestClient } from "../core/backend/testing.ts";
import { Support } from "../core/block/export.ts";
import { RequestFlag } from "../core/block/request.ts";
import type { DeviceOptions } from "../core/control/options.ts";
import { client, fill, node, useNodes, withFile } from "./test_graph.ts";

const SIZE = 256 * 1024;
/** Each of these leaves the content and the size as they are. */
const FILTERS = [
  "blocksize",
  "blocksize minblock=4K maxdata=16K maxlen=64K",
  "blocksize-policy blocksize-preferred=8K",
  "delay rdelay=1us wdelay=1us",
  "error error-rate=0",
  "exportname exportdesc=none",
  "fua fuamode=emulate",
  "fua fuamode=pass",
  "ip allow=any",
  "limit limit=0",
  "log",
  "multi-conn multi-conn-mode=emulate",
  "nocache cachemode=emulate",
  "noextents",
  "nofua",
  "noparallel",
  "noparallel serialize=all-requests",
  "notrim",
  "nozero zeromode=emulate",
  "nozero",
  "offset",
  "protect protect=9M-",
  "stats",
  "swab swab-bits=8",
  "truncate round-up=4K",
  "xor xor-key=00",
];
await useNodes("memory", ...new Set(FILTERS.map((line) => line.split(" ")[0]!)));

interface Step {
  kind: "read" | "write" | "zero" | "trim" | "cache" | "extents" | "flush";
  at: number;
  length: number;
  fua: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom("read", "write", "zero", "trim", "cache", "extents", "flush"),
  at: fc.nat(SIZE - 1),
  length: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 100_000 })),
  fua: fc.boolean(),
});

/** Does a step as a client would that keeps to what it was told. */
function apply(
  disk: TestClient,
  model: Uint8Array,
  { kind, at, length, fua }: Step,
  seed: number,
): void {
  const { can } = disk.opened.info;
  length = Math.min(length, SIZE - at);
  const flags = fua && can.fua !== Support.None ? RequestFlag.Fua : 0;
  if (kind === "read") assertSameBytes(disk.read(at, length), model.subarray(at, at + length));
  else if (kind === "write") {
    disk.write(at, fill(length, seed), flags);
    model.set(fill(length, seed), at);
  } else if (kind === "zero") {
    if (can.zero === Support.None) assert.throws(() => disk.zero(at, length), Refused);
    else {
      disk.zero(at, length, flags);
      model.fill(0, at, at + length);
    }
  } else if (kind === "trim") {
    if (can.trim === Support.None) return;
    disk.trim(at, length, flags);
    model.set(disk.read(at, length), at);
  } else if (kind === "cache") {
    if (can.cache !== Support.None) disk.cache(at, length);
  } else if (kind === "flush") {
    if (can.flush !== Support.None) disk.flush();
  } else checkExtents(disk, model, at, length);
}

function checkExtents(disk: TestClient, model: Uint8Array, at: number, length: number): void {
  let from = at;
  for (const one of disk.extents(at, length)) {
    const end = Math.min(from + one.length, at + length);
    if (one.flags & 2) {
      assert(model.subarray(from, end).every((byte) => byte === 0), "zero is zero");
    }
    from = end;
  }
  assert(from > at);
}

Deno.test("filters that change nothing change nothing in any order", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...FILTERS), { minLength: 2, maxLength: 6 }),
      fc.boolean(),
      fc.array(step, { minLength: 1, maxLength: 15 }),
      (filters, onFile, steps) => {
        withFile(new Uint8Array(SIZE), (path) => {
          let graph: DeviceOptions = node(onFile ? `file ${path}` : `memory ${SIZE}`);
          for (const line of filters) graph = node(line, graph);
          const disk = client(graph);
          assert.equal(disk.opened.info.sizeLow, SIZE);
          const model = new Uint8Array(SIZE);
          steps.forEach((one, i) => apply(disk, model, one, i));
          const writes = [0, 1, 2, 3].map((i) => disk.writeRequest(i * 5000, fill(4999, i), 0));
          assert.deepEqual(disk.together(writes), [0, 0, 0, 0]);
          for (let i = 0; i < 4; i++) model.set(fill(4999, i), i * 5000);
          assertSameBytes(disk.read(0, SIZE), model);
          disk.close();
          if (onFile) assertSameBytes(Deno.readFileSync(path), model);
        });
      },
    ),
    { numRuns: 60 },
  );
});
