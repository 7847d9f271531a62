// SPDX-License-Identifier: MIT
// What the thread that checks a plugin tells the one that watches its deadlines.

import type { CheckReport, CheckResult } from "./report.ts";

/** Name of the thread, by which the executable knows what to run. */
export const CHECK_THREAD = "check";

/** See the top of this file. The first is "listening"; CheckOptions are sent in return. */
export type CheckMessage =
  | { kind: "listening" }
  | { kind: "result"; result: CheckResult }
  | { kind: "report"; report: CheckReport }
  | { kind: "failed"; message: string };
