// SPDX-License-Identifier: MIT
// Rewritten modules do what the originals do, whatever instructions they are made of.

import assert from "node:assert/strict";
import { assemble } from "../test_plugins.ts";
import { instantiateAsIs, instantiateRewritten } from "./test_rewrite.ts";

/** Runs exports of both forms of the module with the same arguments and compares what they give. */
function same(wat: string, calls: [string, ...unknown[]][], imports?: WebAssembly.Imports): void {
  const bytes = assemble(wat);
  const original = instantiateAsIs(bytes, imports);
  const rewritten = instantiateRewritten(bytes, imports);
  for (const [name, ...args] of calls) {
    const expected = outcome(() => original[name]!(...args));
    assert.deepEqual(outcome(() => rewritten.functions[name]!(...args)), expected, name);
  }
}

function outcome(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return (error as Error).message;
  }
}

Deno.test("loops, blocks and branch tables work as before", () => {
  same(
    `(module
      (func $sum (export "sum") (param $n i32) (result i32) (local $s i32)
        (block $out (loop $again
          (br_if $out (i32.eqz (local.get $n)))
          (local.set $s (i32.add (local.get $s) (local.get $n)))
          (local.set $n (i32.sub (local.get $n) (i32.const 1)))
          (br $again)))
        (local.get $s))
      (func (export "switch") (param i32) (result i32)
        (block $c (block $b (block $a
          (br_table $a $b $c (local.get 0)))
          (return (i32.const 10)))
          (return (i32.const 20)))
        (loop $l (result i32)
          (if (result i32) (i32.gt_s (local.get 0) (i32.const 5))
            (then (local.set 0 (i32.sub (local.get 0) (i32.const 3))) (br $l))
            (else (call $sum (local.get 0))))))
      (func (export "nested") (param i32) (result i32) (local $i i32) (local $j i32) (local $t i32)
        (loop $outer
          (local.set $j (i32.const 0))
          (loop $inner
            (local.set $t (i32.add (local.get $t) (i32.mul (local.get $i) (local.get $j))))
            (br_if $inner (i32.lt_s (local.tee $j (i32.add (local.get $j) (i32.const 1)))
              (local.get 0))))
          (br_if $outer (i32.lt_s (local.tee $i (i32.add (local.get $i) (i32.const 1)))
            (local.get 0))))
        (local.get $t)))`,
    [
      ["sum", 0],
      ["sum", 1000],
      ["switch", 0],
      ["switch", 1],
      ["switch", 2],
      ["switch", 99],
      ["nested", 17],
    ],
  );
});

Deno.test("loops with parameters and several results work as before", () => {
  same(
    `(module
      (func (export "fib") (param $n i32) (result i64 i64)
        (i64.const 0) (i64.const 1)
        (loop $l (param i64 i64) (result i64 i64)
          (call $step)
          (local.set $n (i32.sub (local.get $n) (i32.const 1)))
          (br_if $l (local.get $n))))
      (func $step (param $a i64) (param $b i64) (result i64 i64)
        (local.get $b) (i64.add (local.get $a) (local.get $b))))`,
    [["fib", 1], ["fib", 50]],
  );
});

Deno.test("recursion, indirect calls and tail calls work as before", () => {
  same(
    `(module
      (type $unary (func (param i32) (result i32)))
      (table $t 4 8 funcref)
      (elem (i32.const 0) func $fib $double $even)
      (func $fib (export "fib") (type $unary)
        (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0))
          (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
            (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
      (func $double (type $unary) (i32.shl (local.get 0) (i32.const 1)))
      (func $even (export "even") (type $unary)
        (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 1))
          (else (return_call $odd (i32.sub (local.get 0) (i32.const 1))))))
      (func $odd (type $unary)
        (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0))
          (else (return_call_indirect (type $unary)
            (i32.sub (local.get 0) (i32.const 1)) (i32.const 2)))))
      (func (export "through") (param i32 i32) (result i32)
        (call_indirect (type $unary) (local.get 1) (local.get 0)))
      (func (export "deep") (param i32) (result i32)
        (i32.add (call $fib (local.get 0)) (i32.const 1))))`,
    [
      ["fib", 15],
      ["even", 100001],
      ["through", 0, 10],
      ["through", 1, 10],
      ["through", 2, 11],
      ["through", 3, 11],
      ["through", 9, 11],
      ["deep", 10],
    ],
  );
});

Deno.test("references to functions and tables work as before", () => {
  same(
    `(module
      (type $nullary (func (result i32)))
      (table $t (export "t") 2 funcref)
      (elem declare func $one)
      (elem $seg func $two $one)
      (global $g funcref (ref.func $two))
      (func $one (result i32) (i32.const 1))
      (func $two (result i32) (i32.const 2))
      (func $three (export "three") (result i32) (i32.const 3))
      (func (export "run") (result i32)
        (table.set $t (i32.const 0) (ref.func $one))
        (table.set $t (i32.const 1) (global.get $g))
        (i32.add (call_indirect (type $nullary) (i32.const 0))
          (i32.mul (call_indirect (type $nullary) (i32.const 1)) (i32.const 10))))
      (func (export "declared by its export") (result i32)
        (table.set $t (i32.const 0) (ref.func $three))
        (call_indirect (type $nullary) (i32.const 0)))
      (func (export "init") (result i32)
        (table.init $t $seg (i32.const 0) (i32.const 0) (i32.const 2))
        (elem.drop $seg)
        (call_indirect (type $nullary) (i32.const 0)))
      (func (export "grow") (result i32)
        (table.grow $t (ref.null func) (i32.const 7)))
      (func (export "size") (result i32)
        (table.fill $t (i32.const 2) (ref.func $one) (i32.const 3))
        (table.copy $t $t (i32.const 0) (i32.const 2) (i32.const 1))
        (i32.add (table.size $t) (select (result i32) (i32.const 100) (i32.const 200)
          (ref.is_null (table.get $t (i32.const 8)))))))`,
    [["run"], ["declared by its export"], ["init"], ["grow"], ["size"]],
  );
});

Deno.test("bulk memory, data segments, growth and sign extension work as before", () => {
  same(
    `(module
      (memory (export "memory") 1)
      (data (i32.const 16) "hello")
      (data $passive "passive")
      (func (export "bulk") (result i64)
        (memory.fill (i32.const 100) (i32.const 0x5a) (i32.const 8))
        (memory.copy (i32.const 102) (i32.const 16) (i32.const 5))
        (memory.init $passive (i32.const 106) (i32.const 2) (i32.const 2))
        (data.drop $passive)
        (i64.load (i32.const 100)))
      (func (export "again") (memory.init $passive (i32.const 0) (i32.const 0) (i32.const 1)))
      (func (export "grow") (param i32) (result i32)
        (i32.add (i32.shl (memory.grow (local.get 0)) (i32.const 8)) (memory.size)))
      (func (export "sign") (param i32) (result i64)
        (i64.add (i64.extend8_s (i64.extend_i32_u (local.get 0)))
          (i64.extend_i32_s (i32.extend16_s (local.get 0)))))
      (func (export "saturate") (param f64) (result i32) (i32.trunc_sat_f64_s (local.get 0)))
      (func (export "outside") (result i32) (i32.load offset=4294967295 (i32.const 1))))`,
    [
      ["bulk"],
      ["again"],
      ["grow", 3],
      ["grow", 4],
      ["sign", 0x80ff],
      ["saturate", 1e30],
      ["saturate", NaN],
      ["outside"],
    ],
  );
});

Deno.test("SIMD works as before", () => {
  same(
    `(module
      (memory 1)
      (data (i32.const 0) "0123456789abcdefghijklmnopqrstuv")
      (func (export "simd") (param i32) (result i32) (local $v v128)
        (local.set $v (v128.load (i32.const 0)))
        (loop $l
          (local.set $v (i8x16.add (local.get $v) (v128.const i32x4 1 2 3 4)))
          (local.set $v (i8x16.shuffle 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 16
            (local.get $v) (v128.load offset=16 align=1 (i32.const 0))))
          (local.set $v (v128.load8_lane 3 (i32.const 5) (local.get $v)))
          (local.set $v (v128.xor (local.get $v) (v128.load32_zero (i32.const 8))))
          (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (v128.store64_lane 1 (i32.const 24) (local.get $v))
        (v128.store (i32.const 32) (i32x4.extmul_low_i16x8_s (local.get $v)
          (i8x16.swizzle (local.get $v) (i8x16.splat (i32.const 3)))))
        (i32.add (i32x4.extract_lane 2 (local.get $v))
          (i32.add (i32.load (i32.const 24)) (i32.load (i32.const 36)))))
      (func (export "relaxed") (result i32)
        (i32x4.extract_lane 1 (i32x4.relaxed_trunc_f32x4_s
          (f32x4.relaxed_madd (f32x4.splat (f32.const 2)) (f32x4.splat (f32.const 3))
            (f32x4.splat (f32.const 4)))))))`,
    [["simd", 1], ["simd", 100], ["relaxed"]],
  );
});

Deno.test("atomics on memory of its own work as before", () => {
  same(
    `(module
      (memory 1)
      (func (export "atomic") (param i32) (result i32)
        (i32.atomic.store (i32.const 8) (local.get 0))
        (drop (i32.atomic.rmw.add (i32.const 8) (i32.const 5)))
        (drop (i32.atomic.rmw.cmpxchg (i32.const 8) (i32.const 5) (i32.const 77)))
        (atomic.fence)
        (i32.add (i32.atomic.load (i32.const 8))
          (memory.atomic.notify (i32.const 8) (i32.const 1))))
      (func (export "unaligned") (result i32) (i32.atomic.load (i32.const 3)))
      (func (export "wait") (result i32)
        (memory.atomic.wait32 (i32.const 8) (i32.const 0) (i64.const -1))))`,
    [["atomic", 0], ["atomic", 9], ["unaligned"], ["wait"]],
  );
});

Deno.test("exceptions in both forms work as before", () => {
  same(
    `(module
      (tag $e (param i32))
      (func $thrower (param i32) (if (local.get 0) (then (throw $e (local.get 0)))))
      (func (export "old") (param i32) (result i32)
        (try (result i32)
          (do (call $thrower (local.get 0)) (i32.const 1))
          (catch $e (i32.const 100) (i32.add))
          (catch_all (i32.const 3))))
      (func (export "delegated") (param i32) (result i32)
        (try $outer (result i32)
          (do (try (result i32) (do (call $thrower (local.get 0)) (i32.const 1))
            (delegate $outer)))
          (catch_all (i32.const 5))))
      (func (export "loop") (param i32) (result i32) (local $n i32)
        (loop $again
          (try (do (call $thrower (local.get 0)))
            (catch $e (drop)
              (local.set $n (i32.add (local.get $n) (i32.const 1)))
              (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
              (br $again))))
        (local.get $n)))`,
    [["old", 0], ["old", 7], ["delegated", 0], ["delegated", 7], ["loop", 5]],
  );
});

// The assembler does not know the newer form, so this module is written in bytes.
Deno.test("try_table with every kind of catch works as before", () => {
  const body = [
    [0x00, 0x02, 0x7f], // no locals; block (result i32)
    [0x02, 0x69], // block (result exnref)
    [0x02, 0x40], // block
    [0x1f, 0x40, 0x04], // try_table with four catches
    [0x00, 0x00, 0x02], // catch $e, to the outermost block
    [0x01, 0x01, 0x01], // catch_ref $f, to the block in the middle
    [0x02, 0x00], // catch_all
    [0x03, 0x01], // catch_all_ref
    [0x20, 0x00, 0x04, 0x40], // local.get 0, if
    [0x20, 0x00, 0x08, 0x00, 0x05, 0x08, 0x01, 0x0b], // local.get 0, throw $e, else, throw $f, end
    [0x0b], // end
    [0x0b, 0x41, 0x07, 0x0f], // end, i32.const 7, return
    [0x0b, 0x1a, 0x41, 0x08, 0x0f], // end, drop, i32.const 8, return
    [0x0b, 0x41, 0x01, 0x6a, 0x0b], // end, i32.const 1, i32.add, end
  ].flat();
  const section = (id: number, ...content: number[]) => [id, content.length, ...content];
  const bytes = Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, 3, 0x60, 1, 0x7f, 0, 0x60, 1, 0x7f, 1, 0x7f, 0x60, 0, 0),
    ...section(3, 1, 1),
    ...section(13, 2, 0, 0, 0, 2),
    ...section(7, 1, 1, 0x66, 0, 0),
    ...section(10, 1, body.length, ...body),
  ]);
  const forms = [instantiateAsIs(bytes), instantiateRewritten(bytes).functions];
  for (const { f } of forms) assert.deepEqual([f!(41), f!(0)], [42, 8]);
});

Deno.test("several memories and 64-bit memory work as before", () => {
  same(
    `(module
      (memory $a 1)
      (memory $b i64 1)
      (func (export "both") (param i32) (result i32)
        (i32.store $a (i32.const 4) (local.get 0))
        (i32.store $b offset=4294967296 (i64.const -4294967292) (i32.const 5))
        (i32.store $b (i64.const 4) (i32.const 6))
        (i32.add (i32.load $a (i32.const 4)) (i32.load $b (i64.const 4)))))`,
    [["both", 3]],
  );
  same(
    `(module
      (memory $a 1) (memory $b i64 1)
      (func (export "copy") (result i32)
        (i32.store $a (i32.const 8) (i32.const 1234))
        (memory.copy $b $a (i64.const 16) (i32.const 8) (i32.const 4))
        (memory.fill $b (i64.const 17) (i32.const 0) (i64.const 1))
        (i32.add (i32.load $b (i64.const 16)) (i32.wrap_i64 (memory.grow $b (i64.const 2))))))`,
    [["copy"]],
  );
});

Deno.test("calls of imports, the start function and globals work as before", () => {
  const seen: unknown[] = [];
  const host = { note: (value: unknown) => void seen.push(value) };
  same(
    `(module
      (import "host" "note" (func $note (param i64)))
      (global $g (mut i64) (i64.const 5))
      (table 1 funcref)
      (elem (i32.const 0) func $note)
      (start $begin)
      (func $begin (global.set $g (i64.const 6)))
      (func (export "run") (result i64)
        (call $note (global.get $g))
        (call_indirect (param i64) (i64.const 9) (i32.const 0))
        (global.get $g)))`,
    [["run"]],
    { host },
  );
  assert.deepEqual(seen, [6n, 9n, 6n, 9n]);
});
