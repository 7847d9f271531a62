// SPDX-License-Identifier: MIT
// The life of a server as a process: what is set up around it, what ends it, what is left behind.

import { takeActivation } from "../../core/control/activation.ts";
import { takeNotifier } from "../../core/control/notify.ts";
import type { Server } from "../../core/control/options.ts";
import { startServer } from "../../core/control/serve.ts";
import { isInherited } from "../../native/descriptor.ts";
import { UsageError } from "../errors.ts";
import { reason } from "../files.ts";
import { type Log, stderrLog } from "../log.ts";
import { print } from "../output.ts";
import { isInBackground, startInBackground, stayInBackground } from "./background.ts";
import { runCaptive } from "./captive.ts";
import { Leftovers } from "./leftovers.ts";
import { type MetricsService, startMetrics } from "./metrics.ts";
import type { ServeValues } from "./options.ts";
import { stopWithParent } from "./parent.ts";
import { places } from "./places.ts";
import type { ServicePlan } from "./plan.ts";
import { StopSignals } from "./signals.ts";
import { serverOptions, type Subject, subjectOf } from "./subject.ts";

/** Serves as the command line says; the exit status. Throws Error with one sentence. */
export async function runServer(
  values: ServeValues,
  operands: readonly string[],
): Promise<number> {
  const activation = takeActivation(Deno.env, Deno.pid);
  const subject = await subjectOf(values, operands, activation);
  const { plan } = subject;
  checkDescriptors(plan);
  if (plan.fork && !isInBackground()) return await startInBackground();
  let log = stderrLog(plan.verbose);
  const notifier = await takeNotifier(Deno.env, (text) => log("warning", text));
  const leftovers = new Leftovers();
  const signals = new StopSignals((level, text) => log(level, text), leftovers);
  if (plan.exitWithParent) await stopWithParent();
  try {
    const offer = subject.offer(log);
    const listen = await places(plan.listeners, leftovers, log);
    const server = await startServer(
      serverOptions(subject, offer, listen),
      (level, text) => log(level, text),
    );
    for (const address of listen) leftovers.listener(address);
    const { reload } = subject;
    if (reload !== null) signals.reload = () => reload(server, log);
    let metrics: MetricsService | null = null;
    try {
      if (plan.metrics !== undefined) {
        metrics = await startMetrics(plan.metrics, server, (level, text) => log(level, text));
      }
      announce(subject, server, leftovers, log);
      if (metrics !== null && metrics.address !== "" && plan.run === undefined) {
        log("info", `telling metrics at ${metrics.address}`);
      }
      notifier.send("READY=1", `STATUS=Serving ${subject.name}`, `MAINPID=${Deno.pid}`);
      if (plan.fork) log = await stayInBackground(plan.verbose);
      return await untilItEnds(subject, server, signals, log);
    } finally {
      notifier.send("STOPPING=1");
      await metrics?.close();
      await server.stop();
    }
  } finally {
    leftovers.remove();
  }
}

/** Throws UsageError for a descriptor of --fd that nobody has handed over. */
function checkDescriptors({ connections }: ServicePlan): void {
  for (const { inputFd, transmission } of connections) {
    if (transmission === undefined || isInherited(inputFd)) continue;
    throw new UsageError(
      `cannot use --fd ${inputFd}: no such descriptor was inherited; hand a connected socket over`,
    );
  }
}

/** Tells everybody who waits for it that clients can connect. */
function announce(subject: Subject, server: Server, leftovers: Leftovers, log: Log): void {
  const { plan, name } = subject;
  if (plan.pidfile !== undefined) leftovers.pidfile(plan.pidfile);
  const uris = [...new Set(server.uris)].filter((uri) => uri !== "");
  if (plan.printUris) printUris(uris);
  if (isOnItsOwn(plan)) log("info", `serving ${name} at ${uris.join(" and ")}`);
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
  { plan, exportName }: Subject,
  server: Server,
  signals: StopSignals,
  log: Log,
): Promise<number> {
  if (plan.run !== undefined) return await runCaptive(plan.run, exportName, server, signals);
  const signal = await Promise.race([server.ended, signals.first]);
  if (signal && isOnItsOwn(plan)) log("info", `stopping on ${signal}`);
  return 0;
}

/** Whether it was started for itself, and not by a program that knows where it is and what it does. */
function isOnItsOwn(plan: ServicePlan): boolean {
  return plan.run === undefined && plan.listeners.some((listener) => listener.kind !== "fd");
}
