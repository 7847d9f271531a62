// SPDX-License-Identifier: MIT
// Where everything begins. The executable is one module, so its other threads start here as well.

import { CHECK_THREAD } from "../core/check/messages.ts";
import { INSTANCE_THREAD } from "../core/plugin/blocking/messages.ts";

if (typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope) {
  if (self.name === CHECK_THREAD) (await import("../core/check/worker.ts")).runCheckThread();
  else if (self.name.startsWith(INSTANCE_THREAD)) {
    (await import("../core/plugin/blocking/thread.ts")).runInstanceThread();
  } else (await import("../core/reactor/worker.ts")).runReactor();
} else {
  const { startWorkerAhead } = await import("../core/control/reactor_worker.ts");
  const { willServe } = await import("./ahead.ts");
  const { isInBackground } = await import("./serve/background.ts");
  if (willServe(Deno.args, isInBackground())) startWorkerAhead();
  const { runCommandLine } = await import("./run.ts");
  Deno.exit(await runCommandLine(Deno.args));
}
