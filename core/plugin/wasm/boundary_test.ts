// SPDX-License-Identifier: MIT
// Values arrive on the other side of the boundary as they were, in every form of crossing.

import assert from "node:assert/strict";
import fc from "fast-check";
import { assemble } from "../test_plugins.ts";
import { Crossing } from "./boundary.ts";
import { readModule } from "./module.ts";
import { rewriteModule } from "./rewrite.ts";

const { Same, Halves, Number: AsNumber } = Crossing;

const WAT = `(module
  (import "host" "take" (func $take (param i32 i64 i32 i64) (result i64)))
  (import "host" "plain" (func $plain (param i32) (result i32)))
  (table 2 funcref)
  (elem (i32.const 0) func $take $plain)
  (global $reference (mut funcref) (ref.func $take))
  (type $t (func (param i32 i64 i32 i64) (result i64)))
  (func (export "count") (param i64 i32) (result i64)
    (i64.add (local.get 0) (i64.extend_i32_u (local.get 1))))
  (func (export "pointer") (param i64) (result i32) (i32.wrap_i64 (local.get 0)))
  (func (export "direct") (param i32 i64 i32 i64) (result i64)
    (call $take (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
  (func (export "indirect") (param i32 i64 i32 i64) (result i64)
    (call_indirect (type $t) (local.get 0) (local.get 1) (local.get 2) (local.get 3) (i32.const 0)))
  (func (export "reference") (param i32 i64 i32 i64) (result i64)
    (table.set (i32.const 1) (ref.func $take))
    (call_indirect (type $t) (local.get 0) (local.get 1) (local.get 2) (local.get 3) (i32.const 1)))
  (func (export "tail") (param i32 i64 i32 i64) (result i64)
    (return_call $take (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
  (func (export "plain") (param i32) (result i32) (call $plain (local.get 0)))
  (export "take" (func $take)))`;

type Call = (...args: number[]) => number;

function rewritten(take: (...args: number[]) => number): Record<string, Call> {
  const shape = readModule(assemble(WAT));
  const forward = { parameters: [Same, Halves, AsNumber, Halves], results: [AsNumber] };
  const crossings = new Map<string, { parameters: number[]; results: number[] }>([
    ["count", { parameters: [Halves, AsNumber], results: [AsNumber] }],
    ["pointer", { parameters: [AsNumber], results: [AsNumber] }],
    ["plain", { parameters: [Same], results: [Same] }],
  ]);
  const { bytes } = rewriteModule(shape, {
    memories: [],
    tableMaximum: 10,
    imports: [
      { parameters: [Same, Halves, Halves, Halves], results: [AsNumber] },
      { parameters: [Same], results: [Same] },
    ],
    exports: shape.exports.map(({ name, index }) => {
      return { name, functionIndex: index, crossings: crossings.get(name) ?? forward };
    }),
    globals: [],
  });
  const epoch = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  return new WebAssembly.Instance(new WebAssembly.Module(bytes), {
    host: { take, plain: (value: number) => value + 1 },
    "sandblock:host": { epoch },
  }).exports as unknown as Record<string, Call>;
}

const halves = (value: bigint): [number, number] => {
  return [Number(value >> 32n), Number(value & 0xffffffffn)];
};
const int64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const uint32 = fc.integer({ min: 0, max: 0xffffffff });

Deno.test("64-bit integers that come in halves are put together", () => {
  const { count } = rewritten(() => 0);
  fc.assert(fc.property(fc.bigInt({ min: 0n, max: 2n ** 53n - 1n - 2n ** 32n }), uint32, (a, b) => {
    assert.equal(count!(...halves(a), b), Number(a) + b);
  }));
});

Deno.test("pointers come as numbers and go as unsigned ones", () => {
  const { pointer } = rewritten(() => 0);
  for (const value of [0, 1, 0x7fffffff, 0x80000000, 0xffffffff]) {
    assert.equal(pointer!(value), value);
  }
  // What is no address at all becomes one that exists or not, but never a trap of the host's making.
  assert.equal(pointer!(-1), 0);
  assert.equal(pointer!(NaN), 0);
});

Deno.test("imports get halves, however the module calls them", () => {
  let got: number[] = [];
  const functions = rewritten((...args) => {
    got = args.map((value) => value >>> 0);
    return 2 ** 40 + 1;
  });
  for (const way of ["direct", "indirect", "reference", "tail", "take"]) {
    fc.assert(
      fc.property(uint32, int64, uint32, int64, (a, b, c, d) => {
        assert.equal(functions[way]!(a | 0, ...halves(b), c, ...halves(d)), 2 ** 40 + 1);
        assert.deepEqual(got, [a, ...halves(b), 0, c, ...halves(d)], way);
      }),
      { numRuns: 30 },
    );
  }
});

Deno.test("an import that needs nothing in between is called as it is", () => {
  assert.equal(rewritten(() => 0)["plain"]!(41), 42);
});
