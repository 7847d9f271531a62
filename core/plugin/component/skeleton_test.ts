// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { assemble } from "../test_plugins.ts";
import { transpile } from "./bindgen.ts";
import { skeletonOf } from "./skeleton.ts";
import { componentOf, componentWat } from "./test_component.ts";

/** Much code that jco need not see, and a constant of a form that it does not know. */
const MORE = `(func (result i32) ${"(i32.const 1) (drop) ".repeat(5000)} (i32.const 7))
  (global (mut v128) (v128.const i32x4 1 2 3 4)) (global funcref (ref.null func))
  (global f64 (f64.const 1.5))`;

Deno.test("a skeleton has no code, and its modules come back whole", () => {
  const bytes = componentOf(componentWat({}, MORE));
  const { component, modules } = skeletonOf(bytes);
  const code = 15_000;
  assert.ok(component.length < bytes.length - code, `${component.length} of ${bytes.length}`);
  const [whole] = modules.filter((module) => module.length > code);
  const { files, imports, exports } = transpile(bytes);
  assert.deepEqual(imports, ["sandblock:plugin/host", "sandblock:plugin/requests"]);
  assert.ok(exports.includes("sandblock:plugin/device@3.2.0"));
  assert.equal(files.filter((file) => file.bytes.length === whole!.length).length, 1);
  for (const file of files) assert.ok(WebAssembly.validate(file.bytes), file.name);
});

Deno.test("a component with a module that is not valid is refused", () => {
  const bytes = new Uint8Array(componentOf(componentWat()));
  const [module] = skeletonOf(bytes).modules;
  // The i32.const in front of the first call becomes an instruction that nobody knows.
  const at = indexOf(bytes, module!) + module!.lastIndexOf(0x41);
  bytes[at] = 0xff;
  assert.throws(() => skeletonOf(bytes), /one of its modules is not a valid WebAssembly module/);
});

Deno.test("components within components have an end", () => {
  let bytes = Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0);
  const header = bytes;
  for (let depth = 0; depth < 20; depth++) {
    bytes = Uint8Array.of(...header, 4, 0x80 | bytes.length & 0x7f, bytes.length >> 7, ...bytes);
  }
  assert.throws(() => skeletonOf(bytes), /components within components without end/);
  const module = assemble("(module)");
  const one = [1, module.length, ...module];
  const many = Uint8Array.of(...header, ...Array.from({ length: 65 }, () => one).flat());
  assert.throws(() => skeletonOf(many), /more than 64 modules/);
});

function indexOf(bytes: Uint8Array, part: Uint8Array): number {
  for (let at = 0; at < bytes.length; at++) {
    if (part.every((byte, index) => bytes[at + index] === byte)) return at;
  }
  return -1;
}
