// SPDX-License-Identifier: MIT
// The life of a server as a process: what is set up around it, what ends it, what is left behind.

import { takeActivation } from "../../core/control/activation.ts";
import { takeNotifier } from "../../core/control/notify.ts";
import type { Server } from "../../core/control/options.ts";
import { startServer } from "../../core/control/serve.ts";
import { isParallel } from "../../core/graph/nodes.ts";
import { reason } from "../files.ts";
import { type Log, stderrLog } from "../log.ts";
import { print } from "../output.ts";
import { isInBackground, startInBackground, stayInBackground } from "./background.ts";
import { runCaptive } from "./captive.ts";
import { prepareDevice } from "./device.ts";
import { type MetricsService, startMetrics } from "./metrics.ts";
import { Leftovers } from "./leftovers.ts";
import type { ServeValues } from "./options.ts";
import { stopWithParent } from "./parent.ts";
import { places } from "./places.ts";
import { type Plan, planServe } from "./plan.ts";
import { loadServedPolicy, reloadPolicy } from "./policy.ts";
import { StopSignals } from "./signals.ts";

/** Serves as the command line says; the exit status. Throws Error with one sentence. */
export async function runServer(
  values: ServeValues,
  operands: readonly string[],
): Promise<number> {
  const activation = takeActivation(Deno.env, Deno.pid);
  const plan = planServe(values, operands, activation);
  if (plan.fork && !isInBackground()) return await startInBackground();
  let log = stderrLog(plan.verbose);
  const notifier = await takeNotifier(Deno.env, (text) => log("warning", text));
  const leftovers = new Leftovers();
  const signals = new StopSignals((level, text) => log(level, text), leftovers);
  if (plan.exitWithParent) await stopWithParent();
  try {
    const device = prepareDevice(plan);
    if (typeof plan.threads === "number" && plan.threads > 1 && !isParallel(device)) {
      log("warning", `cannot use ${plan.threads} threads for ${plan.plugin}: one serves it`);
    }
    const policy = plan.policy === undefined ? null : loadServedPolicy(plan.policy, log);
    const listen = await places(plan.listeners, leftovers, log);
    const server = await startServer(
      { ...plan, device, listen, policy },
      (level, text) => log(level, text),
    );
    for (const address of listen) leftovers.listener(address);
    const { policy: path } = plan;
    if (path !== undefined) signals.reload = () => reloadPolicy(path, server, log);
    let metrics: MetricsService | null = null;
    try {
      if (plan.metrics !== undefined) {
        metrics = await startMetrics(plan.metrics, server, (level, text) => log(level, text));
      }
      announce(plan, server, leftovers, log);
      notifier.send("READY=1", `STATUS=Serving ${plan.plugin}`, `MAINPID=${Deno.pid}`);
      if (plan.fork) log = await stayInBackground(plan.verbose);
      return await untilItEnds(plan, server, signals, log);
    } finally {
      notifier.send("STOPPING=1");
      await metrics?.close();
      await server.stop();
    }
  } finally {
    leftovers.remove();
  }
}

/** Tells everybody who waits for it that clients can connect. */
function announce(plan: Plan, server: Server, leftovers: Leftovers, log: Log): void {
  if (plan.pidfile !== undefined) leftovers.pidfile(plan.pidfile);
  const uris = [...new Set(server.uris)].filter((uri) => uri !== "");
  if (plan.printUris) printUris(uris);
  if (isOnItsOwn(plan)) log("info", `serving ${plan.plugin} at ${uris.join(" and ")}`);
}

function printUris(uris: readonly string[]): void {
  try {
    print(uris.map((uri) => `${uri}\n`).join(""));
  } catch (error) {
    throw new Error(`cannot print the address on standard output: ${reason(error)}`);
  }
}

/** Waits for the first reason to stop; the exit status that it means. */
async function untilItEnds(
  plan: Plan,
  server: Server,
  signals: StopSignals,
  log: Log,
): Promise<number> {
  if (plan.run !== undefined) return await runCaptive(plan.run, plan, server, signals);
  const signal = await Promise.race([server.ended, signals.first]);
  if (signal && isOnItsOwn(plan)) log("info", `stopping on ${signal}`);
  return 0;
}

/** Whether it was started for itself, and not by a program that knows where it is and what it does. */
function isOnItsOwn(plan: Plan): boolean {
  return plan.run === undefined && plan.listeners.some((listener) => listener.kind !== "fd");
}
