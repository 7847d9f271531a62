// SPDX-License-Identifier: MIT
// Which lines of a kernel log are taken for complaints.

import assert from "node:assert/strict";
import { complaints } from "./complaints.ts";

/** A report of lockdep, with these functions in its chain of locks. */
function report(functions: readonly string[]): string {
  return `======
WARNING: possible circular locking dependency detected
kworker/u10:2/115 is trying to acquire lock:
${functions.map((name) => `       ${name}+0x1/0x2`).join("\n")}
 </TASK>
`;
}

const KNOWN = ["_copy_to_iter", "unix_stream_read_generic", "nbd_handle_reply"];
const LINE = "WARNING: possible circular locking dependency detected";

Deno.test("a report of lockdep is a complaint unless it is the one about nbd.ko's sockets", () => {
  assert.deepEqual(complaints(report(KNOWN)), []);
  assert.deepEqual(complaints(report(KNOWN.slice(1))), [LINE]);
  assert.deepEqual(complaints(report(KNOWN.slice(0, 2))), [LINE]);
  assert.deepEqual(complaints(report(KNOWN) + report(["bdus_ring_enter"])), [LINE]);
  assert.deepEqual(complaints(report(["bdus_ring_enter"]) + report(KNOWN)), [LINE]);
});

Deno.test("what comes after a known report is still told", () => {
  assert.deepEqual(complaints(`${report(KNOWN)}BUG: KASAN: slab-use-after-free\n`), [
    "BUG: KASAN: slab-use-after-free",
  ]);
});
