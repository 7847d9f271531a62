// SPDX-License-Identifier: MIT
// Random modules and damaged ones: whatever the verifier accepts has no loop, ends and does not trap.

import assert from "node:assert/strict";
import fc from "fast-check";
import wabtInit from "wabt";
import { PluginError } from "../plugin/errors.ts";
import { type Check } from "./check_words.ts";
import { compile } from "./compile.ts";
import { CHECK } from "./module.ts";
import { parseProgram } from "./policy_source.ts";
import { policySource } from "./testing.ts";
import { verifyPolicy } from "./verify.ts";

const wabt = await wabtInit();
const WORDS = [0, 1, 2, 7, 0xff, 0xffff, 0x7fffffff, -0x80000000, -1];

function accepts(bytes: Uint8Array): boolean {
  try {
    verifyPolicy(bytes);
    return true;
  } catch (error) {
    // Anything else is a fault of the verifier itself.
    assert.ok(error instanceof PluginError, `${error}`);
    return false;
  }
}

/** Runs an accepted module on many arguments: it must end, and must not trap. */
function exercise(bytes: Uint8Array, seed: number): void {
  const module = new WebAssembly.Module(new Uint8Array(bytes));
  let instance: WebAssembly.Instance;
  try {
    instance = new WebAssembly.Instance(module);
  } catch {
    // Data outside of its memory: refused when it is loaded.
    return;
  }
  const check = instance.exports[CHECK] as Check;
  for (let i = 0; i < 30; i++) {
    const args = Array.from({ length: 8 }, (_, k) => WORDS[(seed + i * 7 + k * (i + 3)) % 9]!);
    assert.equal(typeof check(...args), "number");
  }
}

function hasLoop(bytes: Uint8Array): boolean {
  const text = wabt.readWasm(bytes, { readDebugNames: false }).toText({});
  return /\b(loop|call_indirect|return_call)/.test(text);
}

/** Text of an expression that gives an i32 or i64; `depth` bounds it. */
function expression(type: "i32" | "i64", depth: number, next: () => number): string {
  const other = (wanted: "i32" | "i64") => expression(wanted, depth - 1, next);
  const of = <T>(...choices: T[]) => choices[next() % choices.length]!;
  if (depth <= 0) {
    if (next() % 2) return `(${type}.const ${of(0, 1, 7, 255, 4096, 65535, 65536, -1)})`;
    return type === "i32" ? `(local.get ${next() % 10})` : `(local.get ${10 + next() % 2})`;
  }
  const arithmetic = of("add", "sub", "mul", "and", "or", "xor", "shl", "shr_u", "shr_s");
  const made = [
    () => `(${type}.${arithmetic} ${other(type)} ${other(type)})`,
    () => `(${type}.and ${other(type)} (${type}.const ${of(1, 15, 255, 65535, 131071)}))`,
    () => `(${type}.${of("rem_u", "div_u", "div_s", "rem_s")} ${other(type)} ${other(type)})`,
    () =>
      `(${type}.${of("load8_u", "load16_u", "load")} offset=${of(0, 1, 4, 65532, 65535)} (i32.${
        of("and", "rem_u", "shr_u")
      } ${other("i32")} (i32.const ${of(3, 16, 255, 1023, 65532, 65536)})))`,
    () => `(if (result ${type}) ${other("i32")} (then ${other(type)}) (else ${other(type)}))`,
    () => `(select ${other(type)} ${other(type)} ${other("i32")})`,
    () => `(block (result ${type}) (br_if 0 ${other(type)} ${other("i32")}))`,
    () => `(local.tee ${type === "i32" ? 8 + next() % 2 : 10 + next() % 2} ${other(type)})`,
    () => type === "i32" ? `(i32.wrap_i64 ${other("i64")})` : `(i64.extend_i32_u ${other("i32")})`,
    () => type === "i32" ? `(i64.lt_u ${other("i64")} ${other("i64")})` : other("i64"),
    () => type === "i32" ? `(call ${of("$a", "$b")} ${other("i32")})` : other("i64"),
    () => next() % 9 ? other(type) : `(loop (result ${type}) ${other(type)})`,
  ];
  return made[next() % made.length]!();
}

Deno.test("random modules that are accepted have no loop, end and do not trap", () => {
  let accepted = 0;
  fc.assert(
    fc.property(fc.infiniteStream(fc.nat(1000)), fc.nat(1000), (stream, seed) => {
      const next = () => stream.next().value as number;
      const body = (depth: number) => expression("i32", depth, next);
      const source = `(module (memory 1) (data (i32.const 0) "sandblock")
        (func (export "sb_check") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
          (local i32 i32 i64 i64) ${body(1 + seed % 4)})
        ;; Functions that nobody calls are refused.
        (func (export "sb_clock") (param i32 i32) (drop (call $a (local.get 0))))
        (func $a (param i32) (result i32) (local i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i64)
          (i32.add (local.get 0) (call $b (i32.const 1))))
        (func $b (param i32) (result i32) (local i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i64)
          ${seed % 5 === 0 ? body(2) : "(local.get 0)"}))`;
      const bytes = wabt.parseWat("random.wat", source).toBinary({}).buffer;
      if (!accepts(bytes)) return;
      accepted++;
      assert.equal(hasLoop(bytes), false, source);
      exercise(bytes, seed);
    }),
    { numRuns: 600 },
  );
  assert.ok(accepted > 50, `only ${accepted} were accepted`);
});

Deno.test("damaged modules are refused or harmless", () => {
  const damage = fc.array(fc.tuple(fc.nat(4000), fc.nat(255)), { minLength: 1, maxLength: 3 });
  let accepted = 0;
  fc.assert(
    fc.property(policySource, fc.array(damage, { minLength: 30, maxLength: 30 }), (source, all) => {
      const { bytes } = compile(parseProgram(source), "test");
      for (const changes of all) {
        const damaged = bytes.slice();
        for (const [at, byte] of changes) damaged[at % damaged.length] = byte;
        if (!accepts(damaged)) continue;
        accepted++;
        assert.equal(hasLoop(damaged), false);
        exercise(damaged, changes[0]![0]);
      }
    }),
    { numRuns: 40 },
  );
  assert.ok(accepted > 20, `only ${accepted} were accepted`);
});

Deno.test("bytes that are no module are refused", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => !accepts(bytes)));
});
