// SPDX-License-Identifier: MIT
// Makes a device out of a graph: leaves first, then what stands on them. All nodes live on one reactor
// and share one agenda, which the topmost device runs.

import { FileDevice } from "../backend/file.ts";
import { GrantedFiles } from "../backend/granted_files.ts";
import { GrantedStreams } from "../backend/granted_streams.ts";
import { HostMemory } from "../backend/host_memory.ts";
import type { Device } from "../block/device.ts";
import type { DeviceOptions } from "../control/options.ts";
import { Agenda } from "../plugin/agenda.ts";
import {
  type LogLevel,
  type MemoryRelease,
  PluginDevice,
  type PluginOptions,
} from "../plugin/instance.ts";
import { PoolDevice } from "../plugin/blocking/pool.ts";
import { LogLimit } from "../plugin/log_limit.ts";
import { writesItself } from "../plugin/opening.ts";
import { RestartingDevice } from "../plugin/restart.ts";
import type { RestartPolicy } from "../plugin/restart_policy.ts";
import { CallCounter, type Watch } from "../plugin/watch.ts";
import { watchCount } from "./nodes.ts";

/** Surroundings of the nodes. */
export interface NodeServices {
  log(level: LogLevel, text: string): void;
  /** One for each plugin and filter, in the order of `pluginNodes` (nodes.ts). */
  watches: readonly Watch[];
  /** How many devices of this kind serve the same exports. */
  instances: number;
  memoryRelease?: MemoryRelease;
  /** Memory of each device of the host's own. */
  hostMemoryBytesMax?: number;
  /** False: plugins never find what they want of files in the page cache; for tests. */
  asksFirst?: boolean;
}

/** Makes the device. Throws BlockError or ParameterError, with nothing left open. */
export function buildDevice(options: DeviceOptions, services: NodeServices): Device {
  if (options.kind === "file" || (options.children ?? []).length === 0) {
    return buildNode(options, services, [...services.watches], undefined);
  }
  return buildNode(options, services, [...services.watches], new Agenda(), true);
}

function buildNode(
  options: DeviceOptions,
  services: NodeServices,
  watches: Watch[],
  agenda: Agenda | undefined,
  runsAgenda = false,
): Device {
  if (options.kind === "file") {
    const { log, hostMemoryBytesMax } = services;
    return FileDevice.create(options.values, {
      log,
      ...hostMemoryBytesMax !== undefined && { memoryBytesMax: hostMemoryBytesMax },
    });
  }
  const { prepared, values, grants } = options;
  const watch = watches.shift()!;
  const others = watches.splice(0, watchCount(options) - 1);
  const children: Device[] = [];
  let files: GrantedFiles | undefined;
  let streams: GrantedStreams | undefined;
  try {
    for (const child of options.children ?? []) {
      children.push(buildNode(child, services, watches, agenda));
    }
    const { log, instances, memoryRelease } = services;
    if (grants !== undefined && grants.files.length > 0) {
      const { asksFirst = true } = services;
      files = new GrantedFiles(grants.files, { log, asksFirst });
    }
    if (grants !== undefined && grants.net.length > 0) streams = new GrantedStreams(grants.net);
    const own: PluginOptions = {
      watch,
      log,
      instances,
      children,
      runsAgenda,
      ...grants !== undefined && { grants },
      ...files !== undefined && { files },
      ...streams !== undefined && { streams },
      ...agenda !== undefined && { agenda },
      ...memoryRelease !== undefined && { memoryRelease },
    };
    const { restart = "fail" } = options;
    if (others.length > 0) {
      return buildPool(options, restart, own, others, services.hostMemoryBytesMax);
    }
    if (restart === "fail") return PluginDevice.create(prepared, values, own);
    return buildRestarting(options, restart, own, services.hostMemoryBytesMax);
  } catch (error) {
    files?.close();
    streams?.close();
    for (const child of children) child.close();
    throw error;
  }
}

/** A plugin with several instances, each on a thread of its own. */
function buildPool(
  { prepared, values }: Extract<DeviceOptions, { kind: "plugin" }>,
  restart: RestartPolicy,
  own: PluginOptions,
  watches: readonly Watch[],
  hostMemoryBytesMax?: number,
): Device {
  const hostMemory = new HostMemory(hostMemoryBytesMax);
  try {
    return PoolDevice.create(prepared, values, { ...own, watches, restart, hostMemory });
  } catch (error) {
    hostMemory.close();
    throw error;
  }
}

/** A plugin that gets a new instance when one fails. */
function buildRestarting(
  { prepared, values }: Extract<DeviceOptions, { kind: "plugin" }>,
  policy: "restart" | "backoff",
  own: PluginOptions,
  hostMemoryBytesMax?: number,
): Device {
  const { children = [], files, streams, grants } = own;
  // Each instance bounds what it logs, but there may be many of them, one after the other.
  const limit = new LogLimit((level, text) => own.log(level, text));
  const log: PluginOptions["log"] = grants?.logging
    ? own.log
    : (level, text) => limit.log(level, level, text);
  // Numbers of calls go on where they were, so that the watchdog never takes one for another.
  const counter = new CallCounter(own.watch);
  const agenda = own.agenda ?? new Agenda();
  const runsAgenda = own.agenda === undefined || own.runsAgenda === true;
  const inHost = children.length === 0 || writesItself(prepared);
  const memory = inHost ? new HostMemory(hostMemoryBytesMax) : undefined;
  try {
    return new RestartingDevice({
      policy,
      make: (onFailure) => {
        const more = { counter, agenda, runsAgenda: false, onFailure, log };
        return PluginDevice.create(prepared, values, { ...own, ...more });
      },
      agenda,
      runsAgenda,
      children,
      ...memory !== undefined && { memory },
      services: [files, streams].filter((service) => service !== undefined),
      name: prepared.manifest.name,
      log,
    });
  } catch (error) {
    memory?.close();
    throw error;
  }
}
