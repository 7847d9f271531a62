// SPDX-License-Identifier: MIT
// Policies that are modules: packed, shown, and told from plugins. The example of the specification.

import assert from "node:assert/strict";
import { loadPolicy } from "../../core/policy/loaded.ts";
import { readManifest } from "../../core/plugin/manifest.ts";
import { assemble } from "../../core/plugin/test_plugins.ts";
import { inspectPolicyModule, isPolicyText, packPolicy, policyJson, policyText } from "./module.ts";

const SPEC = Deno.readTextFileSync(
  new URL("../../wasm-plugins/abi/policy.md", import.meta.url),
);
const block = (language: string) =>
  new RegExp("```" + language + "\\n(.*?)```", "s").exec(SPEC)![1]!;
const MANIFEST = block("json");
const CODE = assemble(block("wat"));

Deno.test("the example of the specification is a policy that does what it says", () => {
  const { policy } = loadPolicy(packPolicy(CODE, MANIFEST), "example");
  assert.equal(policy.conditions.length, 1);
  const { exports } = new WebAssembly.Instance(policy.module);
  const check = exports.sb_check as (...values: number[]) => number;
  const ask = (command: number, context: number) => check(command, 0, 0, 0, 0, 512, 0, context);
  for (const command of [0, 3, 5, 7]) assert.equal(ask(command, 0), 0);
  for (const command of [1, 4, 6]) {
    assert.equal(ask(command, 0), 0x101);
    assert.equal(ask(command, 1), 0);
  }
});

Deno.test("plugin show tells about a policy", () => {
  const path = Deno.makeTempFileSync({ suffix: ".wasm" });
  Deno.writeFileSync(path, packPolicy(CODE, MANIFEST));
  const found = inspectPolicyModule(path)!;
  const text = policyText(found);
  assert.match(text, /^owner-writes 1\nEverybody reads, one user writes\n/);
  assert.match(text, /client\[0\] = peer.uid in 1000/);
  assert.match(text, /1 {2}only uid 1000 may write/);
  assert.equal(JSON.parse(policyJson(found)).kind, "policy");
  Deno.removeSync(path);
});

Deno.test("what is no policy is left to others, and a policy is no plugin", () => {
  assert.equal(isPolicyText("{}"), false);
  assert.equal(isPolicyText("{"), false);
  assert.equal(inspectPolicyModule("memory"), null);
  assert.throws(
    () => readManifest(packPolicy(CODE, MANIFEST)),
    /it is a policy, which is not served/,
  );
});

Deno.test("a module that the verifier does not accept is not packed", () => {
  const loop = assemble(`(module (func (export "sb_check")
    (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (loop (br 0)) (i32.const 0)))`);
  assert.throws(() => packPolicy(loop, MANIFEST), /loop/);
});
