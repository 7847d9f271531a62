// SPDX-License-Identifier: MIT
// The conformance kit finds nothing in a plugin and a filter that were built for past minors of the ABI and
// use nearly all of it: this host serves them as the one they were built for.

import assert from "node:assert/strict";
import { RemoteWatchdog } from "../../core/plugin/test_watchdog.ts";
import type { Watch } from "../../core/plugin/watch.ts";
import { checkModule, type SubjectName } from "./subject.ts";

const TIMEOUT_MS = 1000;
const FROZEN = new URL("../../wasm-plugins/abi/frozen/", import.meta.url);

const watchdog = new RemoteWatchdog();
const watches: Watch[] = [await watchdog.watch(TIMEOUT_MS), await watchdog.watch(TIMEOUT_MS)];
globalThis.addEventListener("unload", () => watchdog[Symbol.dispose]());

for (const name of ["disk", "filter"] as const satisfies SubjectName[]) {
  Deno.test({
    name: `the ${name} for 3.1 passes every check`,
    // The watchdog's thread is there before and after.
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      const bytes = Deno.readFileSync(new URL(`3.1/${name}.wasm`, FROZEN));
      const { plugin, results } = await checkModule(name, bytes, [], watches);
      assert.equal(plugin.abi, "3.1");
      const faults = results.filter(({ outcome }) => outcome === "failed");
      assert.deepEqual(faults.map((one) => `${one.name}: ${one.reason}`), []);
    },
  });
}
