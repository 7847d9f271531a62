// SPDX-License-Identifier: MIT
// What a `serve` command line means, as data: no file is touched and nothing is opened to find out.

import {
  type InheritedConnection,
  type Limits,
  LIMITS_DEFAULT,
} from "../../core/control/options.ts";
import { RESTART_POLICIES, type RestartPolicy } from "../../core/plugin/restart_policy.ts";
import { didYouMean } from "../../core/plugin/suggest.ts";
import { UsageError } from "../errors.ts";
import { count, milliseconds, size } from "../values.ts";
import { type Listener, planListeners } from "./listeners.ts";
import type { ServeValues } from "./options.ts";
import { type MetricsPlace, metricsPlace } from "./metrics.ts";
import { planTransmission } from "./transmission.ts";

/** How to serve, whatever is served. */
export interface ServicePlan {
  listeners: Listener[];
  connections: InheritedConnection[];
  threads: number | "auto";
  busyPollUs: number | "auto";
  exitWithLastClient: boolean;
  exitWithParent: boolean;
  verbose: boolean;
  limits: Limits;
  fork: boolean;
  pidfile?: string;
  /** Shell command to serve for. */
  run?: string;
  printUris: boolean;
  /** Where its numbers go. */
  metrics?: MetricsPlace;
}

/** See the top of this file. */
export interface Plan extends ServicePlan {
  /** Plugin as named: a bundled name or a path. */
  plugin: string;
  /** Its parameters as given: `key=value`, or a bare value. */
  parameters: string[];
  /** Filters above it, the first nearest to the client; absent where there are none. */
  filters?: string[];
  /** What the plugin and filters are allowed; absent where that is nothing. */
  allow?: string[];
  /** What becomes of plugins that fail; absent: "fail". */
  restart?: RestartPolicy;
  exportName?: string;
  readOnly: boolean;
  /** Bytes; what the plugin asks for when absent. */
  pluginMemory?: number;
  /** File with the rules about requests. */
  policy?: string;
}

/** What the process was started with that matters here. */
export interface Surroundings {
  /** Listening sockets that systemd handed over (LISTEN_FDS). */
  listenFds: readonly number[];
  /** Connected sockets that it handed over (Accept=yes). */
  connectedFds: readonly number[];
}

/** Threads and counts beyond these are mistakes. */
const THREADS_MAX = 256;
const COUNT_MAX = 1_000_000;
const BUSY_POLL_US_MAX = 1_000_000;
/** A wasm memory ends at 4 GiB; memory64 goes up to 16 GiB in V8. */
const PLUGIN_MEMORY_MAX = 2 ** 34;

/** The plan for `values` and `operands`. Throws UsageError. */
export function planServe(
  values: ServeValues,
  operands: readonly string[],
  surroundings: Surroundings,
): Plan {
  const [plugin, ...parameters] = operands;
  if (plugin === undefined) {
    throw new UsageError(
      'cannot begin: no plugin is named; write one with its parameters, such as "memory 1G"',
    );
  }
  const { policy, exportname, pluginMemory } = values;
  return {
    ...planService(values, surroundings),
    plugin,
    parameters,
    ...values.filter !== undefined && { filters: values.filter },
    ...values.allow !== undefined && { allow: values.allow },
    ...values.restart !== undefined && { restart: restartPolicy(values.restart) },
    ...exportname !== undefined && { exportName: checkedExportName(exportname) },
    readOnly: values.readonly ?? false,
    ...pluginMemory !== undefined &&
      {
        pluginMemory: size("--plugin-memory", pluginMemory, {
          minimum: 65536,
          maximum: PLUGIN_MEMORY_MAX,
        }),
      },
    ...policy !== undefined && { policy },
  };
}

/** The part of it that does not depend on what is served. Throws UsageError. */
export function planService(values: ServeValues, surroundings: Surroundings): ServicePlan {
  refuseConflicts(values, surroundings);
  const inherited = surroundings.connectedFds.map((fd) => ({ inputFd: fd, outputFd: fd }));
  const transmission = planTransmission(values);
  const stdio = values.single ? [{ inputFd: 0, outputFd: 1 }] : [];
  const connections = [...stdio, ...transmission, ...inherited];
  const listeners = planListeners(values, {
    listenFds: surroundings.listenFds,
    connected: connections.length > 0,
  });
  const { run, pidfile } = values;
  return {
    listeners,
    connections,
    threads: threads(values.threads ?? "auto"),
    busyPollUs: busyPoll(values.busyPoll ?? "auto"),
    exitWithLastClient: values.exitWithLastClient ?? false,
    exitWithParent: values.exitWithParent ?? false,
    verbose: values.verbose ?? false,
    limits: planLimits(values),
    fork: values.fork ?? false,
    ...pidfile !== undefined && { pidfile },
    ...run !== undefined && { run },
    ...values.metrics !== undefined && { metrics: metricsPlace(values.metrics) },
    printUris: shouldPrintUris(values, listeners),
  };
}

function planLimits(values: ServeValues): Limits {
  const number = (option: string, text: string | undefined, byDefault: number) =>
    text === undefined ? byDefault : count(option, text, { minimum: 1, maximum: COUNT_MAX });
  const duration = (option: string, text: string | undefined, byDefault: number) =>
    text === undefined ? byDefault : milliseconds(option, text);
  const bytes = values.inflightBytes;
  const base = LIMITS_DEFAULT;
  return {
    connectionsMax: number("--max-connections", values.maxConnections, base.connectionsMax),
    handshakeTimeoutMs: duration(
      "--handshake-timeout",
      values.handshakeTimeout,
      base.handshakeTimeoutMs,
    ),
    optionsMax: number("--max-options", values.maxOptions, base.optionsMax),
    inflightBytesMax: bytes === undefined
      ? base.inflightBytesMax
      : size("--inflight-bytes", bytes, { minimum: 2 ** 20, maximum: 2 ** 40 }),
    inflightRequestsMax: number(
      "--inflight-requests",
      values.inflightRequests,
      base.inflightRequestsMax,
    ),
    pluginTimeoutMs: duration("--plugin-timeout", values.pluginTimeout, base.pluginTimeoutMs),
    drainTimeoutMs: duration("--drain-timeout", values.drainTimeout, base.drainTimeoutMs),
  };
}

function threads(text: string): number | "auto" {
  if (text === "auto") return "auto";
  if (/^-?\d/.test(text)) return count("--threads", text, { minimum: 1, maximum: THREADS_MAX });
  throw new UsageError(`cannot use --threads "${text}": it is auto or a number of threads`);
}

function restartPolicy(text: string): RestartPolicy {
  const policy = RESTART_POLICIES.find((one) => one === text);
  if (policy !== undefined) return policy;
  const words = RESTART_POLICIES.join(", ");
  throw new UsageError(
    `cannot use --restart "${text}": it is one of ${words}${didYouMean(text, RESTART_POLICIES)}`,
  );
}

function busyPoll(text: string): number | "auto" {
  if (text === "auto") return "auto";
  if (text === "off") return 0;
  if (/^\d+$/.test(text)) {
    return count("--busy-poll", text, { minimum: 0, maximum: BUSY_POLL_US_MAX });
  }
  throw new UsageError(
    `cannot use --busy-poll "${text}": it is auto, off or a number of microseconds`,
  );
}

/** An address that nobody can know otherwise is printed unasked. */
function shouldPrintUris(values: ServeValues, listeners: readonly Listener[]): boolean {
  if (values.printUri) return true;
  if (values.run !== undefined) return false;
  return listeners.some((l) => l.kind === "private" || (l.kind === "tcp" && l.port === 0));
}

function checkedExportName(name: string): string {
  const bytes = new TextEncoder().encode(name).length;
  if (bytes <= 4096) return name;
  throw new UsageError(`cannot use --exportname: it has ${bytes} bytes; at most 4096 are possible`);
}

/** Pairs of options that contradict each other, with the reason. */
function refuseConflicts(values: ServeValues, { listenFds, connectedFds }: Surroundings): void {
  const given = (...keys: (keyof ServeValues)[]) => keys.find((key) => values[key] !== undefined);
  const both = (one: string, other: keyof ServeValues | undefined, why: string) => {
    if (other === undefined) return;
    throw new UsageError(`cannot use ${one} together with --${dashed(other)}: ${why}`);
  };
  const listening = given("unix", "port", "ipaddr", "listen");
  if (values.single) {
    both("--single", listening, "the only client is on standard input and output");
    both("--single", given("run", "fork", "fd"), "the only client is on standard input and output");
    both("--single", given("printUri"), "standard output belongs to the client");
  }
  if (values.fd !== undefined) {
    both("--fd", listening ?? given("run", "fork"), "the only client is on the descriptor");
  }
  if (values.fork) {
    both("--fork", given("foreground"), "one says background, the other foreground");
    both("--fork", given("run"), "the command runs in the foreground");
    both("--fork", given("exitWithParent"), "in the background it has no parent");
  }
  if (values.ipv4Only) both("--ipv4-only", given("ipv6Only"), "no address is left");
  if (listenFds.length + connectedFds.length > 0) {
    const conflict = given("ipaddr", "port", "unix", "single", "run", "fork", "fd");
    both("socket activation (LISTEN_FDS)", conflict, "the sockets come from the service manager");
  }
}

function dashed(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
