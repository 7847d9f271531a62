// SPDX-License-Identifier: MIT
// What an `attach` command line means, as data.

import { parseUri } from "../../core/nbd/uri.ts";
import type { Remote } from "../../core/kernel/remote_front.ts";
import { type KernelDevice, parseDevice, type Via, VIAS } from "../../core/kernel/names.ts";
import { didYouMean } from "../../core/plugin/suggest.ts";
import { UsageError } from "../errors.ts";
import { type Plan, planServe } from "../serve/plan.ts";
import { count, milliseconds } from "../values.ts";
import { attachOptions, type AttachValues } from "./attach_options.ts";

/** See the top of this file. */
export interface AttachPlan {
  /** What is served, and how; it has no listeners. Of a remote server only how. */
  serve: Plan;
  /** The servers whose export is attached; null where this process is the server. */
  remote: Remote | null;
  via: Via | "auto";
  /** The device to be; null: a free one. */
  device: KernelDevice | null;
  /** Whether it is taken over: from a process that has died, or from one that is to leave it. */
  takeOver: "recover" | "replace" | null;
  exportName: string;
  connections: number;
  /** Null: one, or as many as the device has that is taken over. */
  queues: number | null;
  depth: number;
  timeoutSeconds: number;
  recoverySeconds: number;
  foreground: boolean;
  /** Whether memory is written out to the device when there is little left. */
  writeback: boolean;
  /** Whether requests are counted and timed. */
  profile: boolean;
  /** Whether swapping to the device is to be possible, which includes that. */
  swap: boolean;
  /** Filters, plugin and parameters, as they were given. */
  graph: string[];
}

const HELP = "sandblock attach --help";
/** The kernel does not gain from more. */
const CONNECTIONS_MAX = 64;
/** More are of no use, as there is a thread for each. */
const QUEUES_MAX = 64;
/** UBLK_MAX_QUEUE_DEPTH. */
const DEPTH_MAX = 4096;
const SECONDS_MS = 1000;

/** The plan for `values` and `operands`. Throws UsageError. */
export function planAttach(values: AttachValues, operands: readonly string[]): AttachPlan {
  const shared = [
    "filter",
    "allow",
    "readonly",
    "policy",
    "restart",
    "pidfile",
    "busyPoll",
    "pluginMemory",
    "pluginTimeout",
    "verbose",
  ] as const;
  const given = Object.fromEntries(
    shared.flatMap((key) => values[key] === undefined ? [] : [[key, values[key]]]),
  );
  const serve = planServe(given, operands, { listenFds: [], connectedFds: [] });
  const device = plannedDevice(values);
  const remote = plannedRemote(values, operands, device);
  const { exportname, timeout = "30s", recoveryTimeout = "10m" } = values;
  return {
    serve: { ...serve, listeners: [], threads: 1 },
    remote,
    via: remote === null ? plannedVia(values.via ?? "auto", device) : "nbd",
    device,
    takeOver: values.recover !== undefined
      ? "recover"
      : values.replace !== undefined
      ? "replace"
      : null,
    exportName: exportname ?? "",
    connections: count("--connections", values.connections ?? "1", {
      minimum: 1,
      maximum: CONNECTIONS_MAX,
    }),
    queues: values.queues === undefined
      ? null
      : count("--queues", values.queues, { minimum: 1, maximum: QUEUES_MAX }),
    depth: count("--depth", values.depth ?? "128", { minimum: 1, maximum: DEPTH_MAX }),
    timeoutSeconds: seconds("--timeout", timeout),
    recoverySeconds: seconds("--recovery-timeout", recoveryTimeout),
    foreground: values.foreground ?? false,
    writeback: values.writeback ?? values.swap ?? false,
    profile: values.profile ?? false,
    swap: values.swap ?? false,
    graph: [...(values.filter ?? []).flatMap((name) => ["--filter", name]), ...operands],
  };
}

function plannedDevice(values: AttachValues): KernelDevice | null {
  const given = (["device", "recover", "replace"] as const)
    .filter((key) => values[key] !== undefined);
  const [one, other] = given;
  if (other !== undefined) {
    throw new UsageError(`cannot use --${one} together with --${other}: each names a device`, HELP);
  }
  if (one === undefined) return null;
  const text = values[one]!;
  try {
    return parseDevice(text);
  } catch (error) {
    throw new UsageError((error as Error).message, HELP);
  }
}

function plannedVia(text: string, device: KernelDevice | null): Via | "auto" {
  const via = ["auto" as const, ...VIAS].find((name) => name === text);
  if (via === undefined) {
    const right = didYouMean(text, ["auto", ...VIAS]);
    throw new UsageError(
      `cannot use --via "${text}": it is one of auto, ublk, bdus, nbd${right}`,
      HELP,
    );
  }
  if (device === null) return via;
  if (via === "auto" || via === device.via) return device.via;
  throw new UsageError(
    `cannot use --via ${via} for ${device.path}: that is a device of ${device.via}`,
    HELP,
  );
}

/** Options that are about requests, which do not come here from a remote server. */
const LOCAL_OPTIONS = [
  "filter",
  "allow",
  "exportname",
  "policy",
  "restart",
  "queues",
  "depth",
  "busyPoll",
  "pluginMemory",
  "pluginTimeout",
  "profile",
  "swap",
  "writeback",
] as const;
const URI = /^nbds?(\+\w+)?:/i;

/** The servers that the operands name, if the first one is a URI. Throws UsageError. */
function plannedRemote(
  values: AttachValues,
  operands: readonly string[],
  device: KernelDevice | null,
): Remote | null {
  if (!URI.test(operands[0] ?? "")) return null;
  const refuse = (what: string) =>
    new UsageError(
      `cannot use ${what} with a remote server: its requests do not come through this process`,
      HELP,
    );
  for (const key of LOCAL_OPTIONS) {
    if (values[key] !== undefined) throw refuse(`--${attachOptions[key].long}`);
  }
  const via = values.via ?? device?.via ?? "nbd";
  if (via !== "auto" && via !== "nbd") throw refuse(`--via ${via}`);
  if (device !== null && device.via !== "nbd") throw refuse(device.path);
  const servers = operands.map((text) => {
    try {
      return parseUri(text);
    } catch (error) {
      throw new UsageError((error as Error).message, HELP);
    }
  });
  return { servers, readOnly: values.readonly ?? false };
}

/** Whole seconds, rounded up; 0 has a meaning of its own. */
function seconds(option: string, text: string): number {
  if (/^0+[a-z]*$/.test(text)) return 0;
  return Math.ceil(milliseconds(option, text) / SECONDS_MS);
}
