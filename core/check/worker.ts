// SPDX-License-Identifier: MIT
// The entry of the thread on which a plugin is checked, while another watches its deadlines.

import type { CheckMessage } from "./messages.ts";
import { runChecks } from "./run.ts";
import type { CheckOptions } from "./subject.ts";

// The DOM's idea of `self` does not know that this is a worker.
const thread = self as unknown as {
  postMessage(message: CheckMessage): void;
  onmessage: ((event: MessageEvent<CheckOptions>) => void) | null;
  close(): void;
};

/** Waits for CheckOptions, then checks. Called once, at the top of a worker. */
export function runCheckThread(): void {
  thread.onmessage = async ({ data }) => {
    thread.onmessage = null;
    thread.postMessage(await checkAll(data));
    thread.close();
  };
  thread.postMessage({ kind: "listening" });
}

async function checkAll(options: CheckOptions): Promise<CheckMessage> {
  try {
    const told = (result: CheckMessage & { kind: "result" }) => thread.postMessage(result);
    const report = await runChecks(options, (result) => told({ kind: "result", result }));
    return { kind: "report", report };
  } catch (error) {
    return { kind: "failed", message: error instanceof Error ? error.message : String(error) };
  }
}
