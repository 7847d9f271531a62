// SPDX-License-Identifier: MIT
// A rewritten module traps soon after its epoch word becomes negative, wherever it spends its time.

import assert from "node:assert/strict";
import { assemble } from "../test_plugins.ts";
import { epochCheck } from "./code.ts";
import { instantiateRewritten, rewriteAll } from "./test_rewrite.ts";

/** Whether the function `run` of the module traps when the word is negative, and only then. */
function assertTraps(wat: string, ...args: unknown[]): void {
  const { functions, epoch } = instantiateRewritten(assemble(wat));
  functions["run"]!(...args);
  epoch[0] = 0x7fffffff;
  functions["run"]!(...args);
  epoch[0] = -1;
  assert.throws(() => functions["run"]!(...args), /unreachable/);
  epoch[0] = -0x80000000;
  assert.throws(() => functions["run"]!(...args), /unreachable/);
  epoch[0] = 0;
  functions["run"]!(...args);
}

const TWICE = "(br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))";

Deno.test("a loop traps", () => {
  assertTraps(`(module (func (export "run") (param i32) (loop $l ${TWICE})))`, 2);
});

Deno.test("a loop in a loop, in a block, in an if, in a try traps", () => {
  const wraps = [
    (loop: string) => `(loop ${loop})`,
    (loop: string) => `(block ${loop})`,
    (loop: string) => `(if (local.get 0) (then ${loop}))`,
    (loop: string) => `(if (i32.eqz (local.get 0)) (then nop) (else ${loop}))`,
    (loop: string) => `(try (do ${loop}) (catch_all))`,
  ];
  for (const wrap of wraps) {
    assertTraps(`(module (func (export "run") (param i32) ${wrap(`(loop $l ${TWICE})`)}))`, 2);
  }
});

Deno.test("a loop that is reached by catching an exception traps", () => {
  assertTraps(
    `(module (tag $e) (func (export "run") (param i32) (loop $l
      (try (do (throw $e)) (catch $e ${TWICE})))))`,
    2,
  );
});

Deno.test("a function that calls traps, whether by call, indirectly or in tail position", () => {
  const calls = [
    "(call $leaf)",
    "(return_call $leaf)",
    "(call_indirect (i32.const 0))",
    "(return_call_indirect (i32.const 0))",
  ];
  for (const call of calls) {
    assertTraps(`(module (table 1 funcref) (elem (i32.const 0) func $leaf)
      (func $leaf) (func (export "run") ${call}))`);
  }
});

Deno.test("a trap cannot be caught by the module", () => {
  assertTraps(
    `(module (func (export "run") (param i32)
      (try (do (loop $l ${TWICE})) (catch_all))))`,
    2,
  );
});

Deno.test("each bulk operation traps, so that many in a row do", () => {
  const operations = [
    "(memory.fill (i32.const 0) (i32.const 0) (i32.const 9))",
    "(memory.copy (i32.const 0) (i32.const 8) (i32.const 9))",
    "(memory.init $d (i32.const 0) (i32.const 0) (i32.const 0))",
    "(drop (memory.grow (i32.const 0)))",
    "(table.fill $t (i32.const 0) (ref.null func) (i32.const 1))",
    "(table.copy $t $t (i32.const 0) (i32.const 0) (i32.const 1))",
    "(table.init $t $e (i32.const 0) (i32.const 0) (i32.const 0))",
    "(drop (table.grow $t (ref.null func) (i32.const 0)))",
  ];
  for (const operation of operations) {
    assertTraps(
      `(module (memory 1) (table $t 2 funcref) (data $d "x") (elem $e funcref (ref.null func))
        (func (export "run") ${operation}))`,
    );
  }
});

Deno.test("a function without loops and calls is left alone", () => {
  const { functions, epoch } = instantiateRewritten(
    assemble(`(module (func (export "run") (result i32) (i32.const 3)))`),
  );
  epoch[0] = -1;
  assert.equal(functions["run"]!(), 3);
});

Deno.test("the check is an atomic load, which an engine may not move out of a loop", () => {
  assert.deepEqual([...epochCheck(1)].slice(2, 4), [0xfe, 0x10]);
  const module = rewriteAll(assemble(`(module (memory 1) (func (loop)))`));
  const check = epochCheck(1).join();
  assert(module.join().includes(check), "the check names memory 1, which is appended");
});
