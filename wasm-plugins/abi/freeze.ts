// SPDX-License-Identifier: MIT
// Keeps modules of a minor version of the ABI when it is released, so that every later host is tested with
// what was built for it: deno run -A wasm-plugins/abi/freeze.ts, after a build. Once per minor; what is
// there already is never replaced.

import { ABI_MAJOR, ABI_MINOR } from "../../core/plugin/abi.ts";
import { CALLS, component, componentWat } from "../../core/plugin/component/test_component.ts";
import { readManifest } from "../../core/plugin/manifest.ts";
import { compileSubject } from "../../tests/sdk/subject.ts";

const BUILT = new URL("../../dist/plugins/", import.meta.url);
const FROZEN = new URL(`frozen/${ABI_MAJOR}.${ABI_MINOR}/`, import.meta.url);

/** A filter that forwards reads and tells of its child what that tells: all that goes both ways. */
const FILTER = {
  implemented: `(i32.const ${CALLS.pread | CALLS.info})`,
  info: `(call $child_info (global.get $context) (i32.const 0) (i32.const 1200))
    (i32.const 1200)`,
  pread: `(call $forward (local.get $request) (i32.const 0) (i64.const 0) (local.get $count)
      (local.get $offset) (i32.const 0) (i32.const 0) (i32.const 1300))
    (call $drop (local.get $request)) (global.get $ok)`,
};

/** What comes with sandblock, what the conformance kit is tested with, and components. */
async function modules(): Promise<Uint8Array[]> {
  const bundled = [...Deno.readDirSync(BUILT)].map(({ name }) => name)
    .filter((name) => name.endsWith(".wasm"))
    .map((name) => Deno.readFileSync(new URL(name, BUILT)));
  return [
    ...bundled,
    await compileSubject("disk"),
    await compileSubject("filter"),
    component(componentWat(), { name: "component" }),
    component(componentWat(FILTER), { kind: "filter", name: "component-filter" }),
  ];
}

async function freeze(): Promise<string[]> {
  Deno.mkdirSync(FROZEN);
  const kept: string[] = [];
  for (const bytes of await modules()) {
    const { abi, name } = readManifest(new Uint8Array(bytes));
    if (abi !== `${ABI_MAJOR}.${ABI_MINOR}`) continue;
    Deno.writeFileSync(new URL(`${name}.wasm`, FROZEN), bytes, { createNew: true });
    kept.push(name);
  }
  return kept.sort();
}

if (import.meta.main) {
  try {
    console.log(`${FROZEN.pathname}: ${(await freeze()).join(" ")}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    console.error(`error: cannot freeze ABI ${ABI_MAJOR}.${ABI_MINOR}: that was done already`);
    Deno.exit(1);
  }
}
