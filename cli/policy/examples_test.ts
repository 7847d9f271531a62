// SPDX-License-Identifier: MIT
// The policies in docs/policies do what their cases say, and are free of warnings.

import assert from "node:assert/strict";
import { readCases } from "./cases.ts";
import { readPolicy } from "./files.ts";
import { runCase } from "./run_case.ts";

const DIRECTORY = new URL("../../docs/policies/", import.meta.url).pathname;
const names = [...Deno.readDirSync(DIRECTORY)].map(({ name }) => name)
  .filter((name) => name.endsWith(".policy"));

Deno.test("there are examples", () => assert.ok(names.length >= 5));

for (const name of names) {
  Deno.test(`${name} does what its cases say`, () => {
    const { policy, diagnostics } = readPolicy(DIRECTORY + name);
    assert.deepEqual(diagnostics, []);
    const path = DIRECTORY + name.replace(/policy$/, "cases.yaml");
    const instance = new WebAssembly.Instance(policy.module);
    for (const one of readCases(Deno.readTextFileSync(path), path)) {
      assert.equal(runCase(one, policy, instance), null, `line ${one.line}: ${one.name}`);
    }
  });
}
