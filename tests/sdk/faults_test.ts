// SPDX-License-Identifier: MIT
// The conformance kit finds nothing in correct plugins and a correct filter, and each fault that is put
// into them.

import assert from "node:assert/strict";
import { RemoteWatchdog } from "../../core/plugin/test_watchdog.ts";
import type { Watch } from "../../core/plugin/watch.ts";
import type { Fault } from "./faults.ts";
import { LIFECYCLE_FAULTS, READ_FAULTS, STATE_FAULTS, WRITE_FAULTS } from "./faults_disk.ts";
import { FILTER_FAULTS } from "./faults_filter.ts";
import { ZONE_FAULTS } from "./faults_zoned.ts";
import { checkSubject, type SubjectName } from "./subject.ts";

/** One call into a plugin may take so long; a machine that is busy must not look like an endless loop. */
const TIMEOUT_MS = 1000;
const FAULTS: Record<SubjectName, readonly Fault[]> = {
  disk: [...READ_FAULTS, ...WRITE_FAULTS, ...STATE_FAULTS, ...LIFECYCLE_FAULTS],
  filter: FILTER_FAULTS,
  zoned: ZONE_FAULTS,
};

const watchdog = new RemoteWatchdog();
const watches: Watch[] = [await watchdog.watch(TIMEOUT_MS), await watchdog.watch(TIMEOUT_MS)];
globalThis.addEventListener("unload", () => watchdog[Symbol.dispose]());

/** The watchdog's thread is there before and after. */
function test(name: string, run: () => Promise<void>): void {
  Deno.test({ name, fn: run, sanitizeResources: false, sanitizeOps: false });
}

for (const name of ["disk", "filter", "zoned"] as const) {
  test(`the ${name} without faults passes every check`, async () => {
    const { results, passed } = await checkSubject(name, null, watches);
    const faults = results.filter(({ outcome }) => outcome === "failed");
    assert.deepEqual(faults.map((one) => `${one.name}: ${one.reason}`), []);
    assert.ok(passed);
  });

  for (const fault of FAULTS[name]) {
    test(`${name}: ${fault.name}`, async () => {
      const { results, passed } = await checkSubject(name, fault, watches);
      const found = results.find((one) => one.name === fault.found)!;
      assert.equal(found.outcome, "failed", `${fault.found} finds nothing`);
      assert.match(found.reason, fault.says);
      assert.doesNotMatch(found.reason, /\n/, "one line");
      assert.ok(!passed);
    });
  }
}

Deno.test("there are many faults, each with a name of its own", () => {
  const all = Object.values(FAULTS).flat();
  assert.ok(all.length >= 80, `${all.length}`);
  assert.equal(new Set(all.map(({ name }) => name)).size, all.length);
});
