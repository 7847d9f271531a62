// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import fc from "fast-check";
import { Errno } from "../block/errno.ts";
import { ExtentFlag, RequestFlag } from "../block/request.ts";
import { pattern, TARGETS, withFile } from "./file_testing.ts";
import { Refused, type TestClient } from "./testing.ts";

const SIZE_MAX = 598_017;
const PAGES_MAX = 146;
const SECTORS_MAX = 1168;
/** Odd, a multiple of a sector, a multiple of a page. */
const SIZES = [SIZE_MAX, 98_305, 524_288, 4608, 77];

/** Places near the borders of blocks are more interesting than others. */
const place = fc.oneof(
  fc.nat(SIZE_MAX),
  fc.tuple(fc.nat(PAGES_MAX), fc.integer({ min: -2, max: 2 }))
    .map(([page, shift]) => Math.max(0, page * 4096 + shift)),
  fc.nat(SECTORS_MAX).map((sector) => sector * 512),
);
const fua = fc.boolean().map((set) => set ? RequestFlag.Fua : 0);
const zeroFlags = fc.tuple(
  fua,
  fc.constantFrom(0, RequestFlag.NoHole),
  fc.constantFrom(0, 0, RequestFlag.FastZero),
).map(([a, b, c]) => a | b | c);

const step = fc.oneof(
  fc.record({ kind: fc.constant("write"), from: place, to: place, seed: fc.nat(), flags: fua }),
  fc.record({ kind: fc.constant("zero"), from: place, to: place, flags: zeroFlags }),
  fc.record({ kind: fc.constant("trim"), from: place, to: place, flags: fua }),
  fc.record({ kind: fc.constant("read"), from: place, to: place }),
  fc.record({ kind: fc.constant("extents"), from: place, to: place }),
  fc.record({ kind: fc.constant("cache"), from: place, to: place }),
  fc.record({ kind: fc.constant("flush") }),
);
type Step = {
  kind: string;
  from?: number;
  to?: number;
  seed?: number;
  flags?: number;
};

/** What a file should hold. */
class Model {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Bytes that were trimmed: they may read as anything until they are written. */
  readonly undefined: Uint8Array;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.undefined = new Uint8Array(size);
  }

  set(from: number, data: Uint8Array): void {
    this.bytes.set(data, from);
    this.undefined.fill(0, from, from + data.length);
  }

  check(from: number, got: Uint8Array): void {
    for (let i = 0; i < got.length; i++) {
      if (this.undefined[from + i] === 0 && got[i] !== this.bytes[from + i]) {
        assert.fail(`byte ${from + i} is ${got[i]}, not ${this.bytes[from + i]}`);
      }
    }
  }
}

function run(client: TestClient, model: Model, steps: readonly Step[]): void {
  const size = model.bytes.length;
  for (const { kind, from: a = 0, to: b = 0, seed = 0, flags = 0 } of steps) {
    const from = Math.min(a, b, size);
    const length = Math.min(Math.max(a, b), size) - from;
    if (kind === "write") {
      const data = pattern(length, seed);
      client.write(from, data, flags);
      model.set(from, data);
    } else if (kind === "zero") {
      zero(client, model, from, length, flags);
    } else if (kind === "trim") {
      client.trim(from, length, flags);
      model.undefined.fill(1, from, from + length);
    } else if (kind === "read") {
      model.check(from, client.read(from, length));
    } else if (kind === "extents" && length > 0) {
      checkExtents(client, model, from, length);
    } else if (kind === "cache") {
      client.cache(from, length);
    } else client.flush();
  }
}

function zero(client: TestClient, model: Model, from: number, length: number, flags: number): void {
  try {
    client.zero(from, length, flags);
  } catch (error) {
    // Only a fast zero may be refused, and then nothing has changed.
    assert.ok((flags & RequestFlag.FastZero) !== 0 && error instanceof Refused);
    assert.equal(error.errno, Errno.EOPNOTSUPP);
    return;
  }
  model.set(from, new Uint8Array(length));
}

function checkExtents(client: TestClient, model: Model, from: number, length: number): void {
  let at = from;
  for (const extent of client.extents(from, length)) {
    assert.ok(extent.length > 0);
    if ((extent.flags & ExtentFlag.Zero) !== 0) {
      model.check(at, new Uint8Array(extent.length));
    }
    at += extent.length;
  }
  assert.equal(at, from + length);
}

for (const target of TARGETS) {
  Deno.test(`${target.name}: any sequence of requests agrees with a model`, () => {
    const size = fc.constantFrom(...SIZES);
    const steps = fc.array(step as fc.Arbitrary<Step>, { maxLength: 30 });
    fc.assert(
      fc.property(size, steps, (size, steps) => {
        withFile(target, size, (client, path) => {
          const model = new Model(size);
          run(client, model, steps);
          model.check(0, client.read(0, size));
          client.flush();
          const file = Deno.readFileSync(path);
          assert.equal(file.length, size);
          model.check(0, file);
        });
      }),
      { numRuns: 25 },
    );
  });
}
