// SPDX-License-Identifier: MIT
// The entry of a reactor thread: makes the device, then runs the loop, which ends with the thread.

import { type MessagePort as NodeMessagePort, receiveMessageOnPort } from "node:worker_threads";
import type { Device } from "../block/device.ts";
import { buildDevice } from "../graph/build.ts";
import { clearEvent } from "../../native/descriptor.ts";
import type { LogLevel } from "../plugin/instance.ts";
import type { ReactorCommand, ReactorReport, ReactorStart } from "./messages.ts";
import { memoryRelease } from "./memory_release.ts";
import { Reactor } from "./reactor.ts";

// The DOM's idea of `self` does not know that this is a worker.
const thread = self as unknown as {
  postMessage(message: ReactorReport): void;
  onmessage: ((event: MessageEvent<ReactorStart>) => void) | null;
  close(): void;
};

/** Waits for ReactorStart, then runs. Called once, at the top of a worker. */
export function runReactor(): void {
  thread.onmessage = (event) => {
    thread.onmessage = null;
    report(serve(event.data));
    thread.close();
  };
  report({ kind: "listening" });
}

function report(message: ReactorReport): void {
  thread.postMessage(message);
}

function log(level: LogLevel, text: string): void {
  report({ kind: "log", level, text });
}

function serve(start: ReactorStart): ReactorReport {
  let device: Device;
  let reactor: Reactor;
  try {
    device = createDevice(start);
    reactor = new Reactor(device, start, { log, idle: () => report({ kind: "idle" }) });
    for (const connection of start.connections) reactor.inherit(connection);
  } catch (error) {
    return { kind: "failed", message: error instanceof Error ? error.message : String(error) };
  }
  report({ kind: "started" });
  reactor.run(() => takeCommands(start, reactor));
  device.close();
  return { kind: "ended" };
}

function createDevice(start: ReactorStart): Device {
  const { device, watches } = start;
  const instances = new Int32Array(start.load).length;
  return buildDevice(device, { watches, log, instances, memoryRelease });
}

function takeCommands(start: ReactorStart, reactor: Reactor): void {
  clearEvent(start.wakeFd);
  for (const port of start.inbox) {
    for (let got = receive(port); got !== null; got = receive(port)) {
      if (got.kind === "connection") reactor.adopt(got.fd, got.peer);
      else reactor.drain();
    }
  }
}

function receive(port: MessagePort): ReactorCommand | null {
  // Node's type for a MessagePort differs from the web's, but the objects are the same.
  const got = receiveMessageOnPort(port as unknown as NodeMessagePort);
  return got === undefined ? null : got.message as ReactorCommand;
}
