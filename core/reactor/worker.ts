// SPDX-License-Identifier: MIT
// The entry of a reactor thread: makes the devices, then runs the loop, which ends with the thread.

import type { Device } from "../block/device.ts";
import type { NodeMetrics } from "../block/metrics.ts";
import { buildDevice } from "../graph/build.ts";
import { mayBeZoned } from "../graph/nodes.ts";
import type { UblkQueueOptions } from "../control/options.ts";
import { BdusQueue } from "../kernel/bdus_queue.ts";
import { BdusRingQueue } from "../kernel/bdus_ring_queue.ts";
import { UblkQueue } from "../kernel/ublk_queue.ts";
import { ZonedUblkQueue } from "../kernel/ublk_zoned_queue.ts";
import { threadId } from "../../native/priority.ts";
import type { LogLevel } from "../plugin/instance.ts";
import { tellThread } from "../plugin/watch.ts";
import { Inbox } from "./inbox.ts";
import type {
  DeviceStart,
  ReactorAnswers,
  ReactorCommand,
  ReactorQuestion,
  ReactorReport,
  ReactorStart,
} from "./messages.ts";
import { memoryRelease } from "./memory_release.ts";
import { Reactor } from "./reactor.ts";

// The DOM's idea of `self` does not know that this is a worker.
const thread = self as unknown as {
  postMessage(message: ReactorReport): void;
  onmessage: ((event: MessageEvent) => void) | null;
  close(): void;
};

/** Waits for ReactorStart, then runs. Called once, at the top of a worker. */
export function runReactor(): void {
  thread.onmessage = async (event: MessageEvent<ReactorStart>) => {
    thread.onmessage = null;
    report(await serve(event.data));
    thread.close();
  };
  report({ kind: "listening" });
}

function report(message: ReactorReport): void {
  thread.postMessage(message);
}

/** What questions are about. */
interface Serving {
  reactor: Reactor;
  devices: readonly Device[];
}

/** Until the device works, what goes wrong is told once, as the reason why it does not. */
let starting = true;

function log(level: LogLevel, text: string): void {
  report({ kind: "log", level: starting && level === "error" ? "debug" : level, text });
}

async function serve(start: ReactorStart): Promise<ReactorReport> {
  const devices: Device[] = [];
  let reactor: Reactor;
  try {
    for (const one of start.devices) devices.push(createDevice(one, start));
    reactor = new Reactor(devices, start, {
      log,
      idle: () => report({ kind: "idle" }),
      move: (place, client) => report({ kind: "move", place, client }),
      finishing: () => report({ kind: "finishing" }),
    });
    for (const connection of start.connections) reactor.inherit(connection);
  } catch (error) {
    for (const device of devices) device.close();
    return { kind: "failed", message: error instanceof Error ? error.message : String(error) };
  }
  starting = false;
  report({ kind: "started" });
  try {
    const serving = { reactor, devices };
    const sources = [thread, ...start.inbox];
    const inbox = new Inbox(sources, start.wakeFd, (command) => obey(command, serving));
    while (!reactor.run()) await inbox.take();
  } catch (error) {
    log("debug", error instanceof Error && error.stack || String(error));
    return { kind: "failed", message: `the server has failed: ${(error as Error).message}` };
  }
  for (const device of devices) device.close();
  return { kind: "ended" };
}

/** Throws an error that says which export it is about, where that has a name. */
function createDevice(start: DeviceStart, { limits, exports }: ReactorStart): Device {
  const { device, watches, instances, exportName } = start;
  // Twice, because blocks of many sizes do not fill a memory without gaps.
  const hostMemoryBytesMax = 2 * limits.inflightBytesMax;
  for (const watch of watches) tellThread(watch, threadId());
  const services = { watches, log, instances, memoryRelease, hostMemoryBytesMax };
  let made: Device | null = null;
  if (exports === null) {
    made = buildDevice(device, services);
    try {
      checkZones(made, start);
      return made;
    } catch (error) {
      made.close();
      throw error;
    }
  }
  try {
    made = buildDevice(device, services);
    checkZones(made, start);
    if (made.defaultExport() !== null) return made;
    throw new Error(
      "its device has several and none by default; name one, or use --filter exportname",
    );
  } catch (error) {
    made?.close();
    throw new Error(`cannot serve the export "${exportName}": ${(error as Error).message}`);
  }
}

/** Throws BlockError where a filter does not stand on a device with zones, which shows when it is opened. */
function checkZones(made: Device, { device, readOnly }: DeviceStart): void {
  if (!mayBeZoned(device)) return;
  const name = made.defaultExport();
  if (name !== null) made.open(name, { readOnly, peer: "start" }).close();
}

function obey(command: ReactorCommand, serving: Serving): void {
  const { reactor } = serving;
  if (command.kind === "connection") reactor.adopt(command.fd, command.peer);
  else if (command.kind === "handshake") reactor.takeOver(command.client);
  else if (command.kind === "policy") reactor.usePolicy(command.exportName, command.policy);
  else if (command.kind === "ask") answer(command.id, command.question, serving);
  else reactor.drain();
}

function answer(id: number, question: ReactorQuestion, serving: Serving): void {
  try {
    report({ kind: "answer", id, answer: carryOut(question, serving), error: null });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    report({ kind: "answer", id, answer: null, error: text });
  }
}

function carryOut(
  question: ReactorQuestion,
  { reactor, devices }: Serving,
): ReactorAnswers[ReactorQuestion["kind"]] {
  if (question.kind === "export") return reactor.describe(question.name);
  if (question.kind === "graph") return reactor.graph(question.name);
  if (question.kind === "metrics") {
    return reactor.profiles().map((
      own,
      i,
    ) => [...own === null ? [] : [own], ...metricsOf(devices[i]!)]);
  }
  if (question.kind === "abandon") reactor.abandon();
  else if (question.kind === "reopen") reactor.reopen(question.name);
  else if (question.kind === "connect") reactor.inherit(question.connection);
  else if (question.kind === "bdus") {
    const { queue } = question;
    const Queue = queue.rings ? BdusRingQueue : BdusQueue;
    reactor.attach((surroundings) => new Queue(queue, surroundings), queue);
  } else serveQueue(reactor, question.queue);
  return null;
}

function serveQueue(reactor: Reactor, queue: UblkQueueOptions): void {
  const Queue = queue.zoned ? ZonedUblkQueue : UblkQueue;
  reactor.attach((surroundings) => new Queue(queue, surroundings), queue);
}

function metricsOf(device: Device): NodeMetrics[] {
  const nodes: NodeMetrics[] = [];
  device.collectMetrics?.("0", nodes);
  return nodes;
}
