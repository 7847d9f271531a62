// SPDX-License-Identifier: MIT
// Where everything begins. The executable is one module, so a reactor thread starts here as well.

if (typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope) {
  const { runReactor } = await import("../core/reactor/worker.ts");
  runReactor();
} else {
  const { runCommandLine } = await import("./run.ts");
  Deno.exit(await runCommandLine(Deno.args));
}
