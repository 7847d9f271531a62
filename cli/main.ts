// SPDX-License-Identifier: MIT
// Where everything begins. The executable is one module, so a reactor thread starts here as well.

if (typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope) {
  const { runReactor } = await import("../core/reactor/worker.ts");
  runReactor();
} else {
  const { startWorkerAhead } = await import("../core/control/reactor_worker.ts");
  if (Deno.args[0] === "serve") startWorkerAhead();
  const { runCommandLine } = await import("./run.ts");
  Deno.exit(await runCommandLine(Deno.args));
}
