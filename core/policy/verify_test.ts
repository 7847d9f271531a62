// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import fc from "fast-check";
import wabtInit from "wabt";
import { compile } from "./compile.ts";
import { parseProgram } from "./policy_source.ts";
import { policySource } from "./testing.ts";
import { verifyPolicy } from "./verify.ts";

const wabt = await wabtInit();

function assemble(wat: string): Uint8Array {
  const module = wabt.parseWat("test.wat", wat);
  return module.toBinary({}).buffer;
}

const HEAD = `(func (export "sb_check")
  (param $cmd i32) (param $flags i32) (param $oh i32) (param $ol i32)
  (param $lh i32) (param $ll i32) (param $xh i32) (param $xl i32) (result i32)`;

/** A module whose check has this body. */
function check(body: string, more = ""): Uint8Array {
  return assemble(`(module ${more} ${HEAD} ${body}))`);
}

function refuses(bytes: Uint8Array, why: RegExp): void {
  assert.throws(() => verifyPolicy(bytes), { name: "PluginError", message: why });
}

Deno.test("everything that is compiled is accepted", () => {
  fc.assert(
    fc.property(policySource, (source) => {
      const { bytes } = compile(parseProgram(source), "test");
      assert.ok(verifyPolicy(bytes).steps > 0);
    }),
    { numRuns: 100 },
  );
});

Deno.test("a table in memory may be read where the address is masked", () => {
  const memory = `(memory 1) (data (i32.const 0) "\\01\\02")`;
  verifyPolicy(check("(i32.load8_u (i32.and (local.get $cmd) (i32.const 7)))", memory));
  verifyPolicy(check("(i32.load8_u (i32.and (local.get $cmd) (i32.const 0xffff)))", memory));
  verifyPolicy(check("(i32.load offset=65532 (i32.const 0))", memory));
  verifyPolicy(check("(i32.load8_u (i32.rem_u (local.get $cmd) (i32.const 8)))", memory));
  verifyPolicy(check("(i32.load8_u (i32.shr_u (local.get $cmd) (i32.const 16)))", memory));
  refuses(check("(i32.load8_u (local.get $cmd))", memory), /may read up to byte 4294967296/);
  refuses(check("(i32.load8_u (i32.and (local.get 0) (i32.const 0x10000)))", memory), /65537/);
  refuses(check("(i32.load offset=65533 (i32.const 0))", memory), /up to byte 65537/);
  refuses(check("(i32.load8_u offset=0xffffffff (i32.const 1))", memory), /may read/);
  refuses(check("(i32.load8_u (i32.sub (i32.const 0) (i32.const 1)))", memory), /may read/);
});

Deno.test("where ways meet, a value is what it can be on either", () => {
  const memory = "(memory 1)";
  const chosen = (a: string, b: string) =>
    check(
      `(local $at i32) (if (local.get $cmd) (then (local.set $at ${a})) (else (local.set $at ${b})))
      (i32.load8_u (local.get $at))`,
      memory,
    );
  verifyPolicy(chosen("(i32.const 1)", "(i32.const 65535)"));
  refuses(chosen("(i32.const 1)", "(i32.const 65536)"), /65537/);
  refuses(chosen("(local.get $flags)", "(i32.const 1)"), /may read/);
  // A branch out of the block carries its own value along.
  refuses(
    check(
      `(local $at i32) (block (local.set $at (local.get $flags)) (br_if 0 (local.get $cmd))
      (local.set $at (i32.const 1))) (i32.load8_u (local.get $at))`,
      memory,
    ),
    /may read/,
  );
  // Without else the value from before is left.
  refuses(
    check(
      `(local $at i32) (local.set $at (local.get $flags))
      (if (local.get $cmd) (then (local.set $at (i32.const 1)))) (i32.load8_u (local.get $at))`,
      memory,
    ),
    /may read/,
  );
});

Deno.test("loops, recursion and calls through tables are refused", () => {
  refuses(check("(loop (br 0)) (i32.const 0)"), /it has a loop/);
  refuses(check("(return) (loop)"), /not a valid|loop/);
  refuses(
    assemble(`(module ${HEAD} (call $a)) (func $a (result i32) (call $b))
      (func $b (result i32) (call $a)))`),
    /can call itself/,
  );
  const table = "(type $t (func (result i32))) (table 1 funcref)";
  refuses(check("(call_indirect (type $t) (i32.const 0))", table), /table/);
});

Deno.test("calls that multiply are refused when they could take long", () => {
  const doubling = Array.from(
    { length: 40 },
    (_, i) => `(func $f${i} (result i32) (i32.add (call $f${i + 1}) (call $f${i + 1})))`,
  ).join("\n");
  const source = `(module ${HEAD} (call $f0)) ${doubling} (func $f40 (result i32) (i32.const 1)))`;
  refuses(assemble(source), /more than 250000 instructions/);
});

Deno.test("whatever can trap, keep state or reach outside is refused", () => {
  refuses(check("(unreachable)"), /can trap/);
  refuses(check("(i32.div_u (i32.const 1) (local.get $cmd))"), /can trap/);
  refuses(check("(i32.div_s (i32.const 1) (i32.const -1))"), /can trap/);
  verifyPolicy(check("(i32.div_s (local.get $cmd) (i32.const 3))"));
  refuses(
    check("(global.set 0 (i32.const 1)) (i32.const 0)", "(global (mut i32) (i32.const 0))"),
    /changes a global/,
  );
  refuses(check("(i32.store (i32.const 0) (i32.const 1)) (i32.const 0)", "(memory 1)"), /0x36/);
  refuses(check("(memory.grow (i32.const 1))", "(memory 1)"), /grows its memory/);
  refuses(check("(i32.trunc_f32_s (f32.const 1))"), /0x43/);
  refuses(check("(i32.const 0)", "(memory 17)"), /of memory/);
  refuses(check("(i32.const 0)", `(import "a" "b" (func))`), /imports "a" "b"/);
  refuses(check("(i32.const 0)", "(func $s) (start $s)"), /start function/);
  refuses(check("(i32.const 0)", "(func $never)"), /never called/);
  refuses(assemble("(module)"), /no functions/);
  refuses(assemble(`(module (func (export "sb_check") (result i32) (i32.const 0)))`), /8 i32/);
});

Deno.test("a load that names its memory by index is refused", () => {
  // The longer form takes the place of a nop, so that no length changes.
  const bytes = check("(nop) (i32.load8_u (i32.const 0))", "(memory 1)");
  const from = [0x01, 0x41, 0x00, 0x2d, 0x00, 0x00];
  const at = bytes.findIndex((_, i) => from.every((byte, k) => bytes[i + k] === byte));
  bytes.set([0x41, 0x00, 0x2d, 0x40, 0x00, 0x00], at);
  assert.ok(WebAssembly.validate(new Uint8Array(bytes)));
  refuses(bytes, /names its memory by index/);
});
