// SPDX-License-Identifier: MIT
// The policy of a server: read at the start, and read again when asked to.

import type { Server } from "../../core/control/options.ts";
import type { Policy } from "../../core/policy/loaded.ts";
import type { Log } from "../log.ts";
import { findingLines, readPolicy } from "../policy/files.ts";

/** The policy in a file, with its warnings in the log. Throws Error with one sentence. */
export function loadServedPolicy(path: string, log: Log): Policy {
  const { policy, diagnostics } = readPolicy(path);
  for (const diagnostic of diagnostics) log("warning", findingLines(path, [diagnostic]).trimEnd());
  return policy;
}

/** Reads the policy again and has the server use it; where that fails, it goes on as before. */
export function reloadPolicy(path: string, server: Server, log: Log): void {
  try {
    server.usePolicy(loadServedPolicy(path, log));
    log("info", `policy "${path}" was read again`);
  } catch (error) {
    log("error", `the policy stays as it was: ${(error as Error).message}`);
  }
}
