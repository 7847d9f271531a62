// SPDX-License-Identifier: MIT
// The life of an attached device: made, served until it is detached or told to stop, ended.

import { takeNotifier } from "../../core/control/notify.ts";
import type { Server } from "../../core/control/options.ts";
import { startServer } from "../../core/control/serve.ts";
import { AdminServer, askAdmin } from "../../core/kernel/admin.ts";
import { attachDevice, isAttached, WaySearch } from "../../core/kernel/attach.ts";
import type { KernelDevice, Via } from "../../core/kernel/names.ts";
import type { AttachOptions, FrontEnd } from "../../core/kernel/front.ts";
import { attachRemote } from "../../core/kernel/remote_front.ts";
import {
  type DeviceRecord,
  makeStateDirectory,
  newRecord,
  readRecord,
  removeRecord,
  socketPath,
  writeRecord,
} from "../../core/kernel/state.ts";
import { flushBlockDevice } from "../../native/block_device.ts";
import { type Log, stderrLog } from "../log.ts";
import { print } from "../output.ts";
import { stayInBackground } from "../serve/background.ts";
import { prepareDevice } from "../serve/device.ts";
import { Leftovers } from "../serve/leftovers.ts";
import { loadServedPolicy, reloadPolicy } from "../serve/policy.ts";
import { StopSignals } from "../serve/signals.ts";
import type { AttachPlan } from "./attach_plan.ts";
import { resizeFront } from "./resize.ts";
import { atMost, isAlive, tellIfSlow, until } from "./slow.ts";

/** When told to stop, the page cache is written out for so long at the most. */
const FLUSH_MS = 10_000;

/** Attaches a device and serves it in this process; the exit status. Throws Error with one sentence. */
export async function runAttach(plan: AttachPlan): Promise<number> {
  let log = stderrLog(plan.serve.verbose);
  const notifier = await takeNotifier(Deno.env, (text) => log("warning", text));
  const leftovers = new Leftovers();
  const signals = new StopSignals((level, text) => log(level, text), leftovers);
  try {
    const predecessor = plan.takeOver === null ? null : await findPredecessor(plan);
    makeStateDirectory();
    const tell: Log = (level, text) => log(level, text);
    const search = new WaySearch();
    // Loading a driver and starting the server do not wait for each other.
    const way = plan.via === "auto" ? search.next() : null;
    way?.catch(() => {});
    const queues = plan.queues ?? predecessor?.queues ?? 1;
    const server = plan.remote === null ? await serve(plan, queues, signals, tell) : null;
    try {
      const front = await makeFront(plan, way, search, server, predecessor, tell);
      await using life = await Life.begin(front, server, plan, tell);
      if (plan.serve.pidfile !== undefined) leftovers.pidfile(plan.serve.pidfile);
      print(`${front.device.path}\n`);
      notifier.send("READY=1", `STATUS=Serving ${front.device.path}`, `MAINPID=${Deno.pid}`);
      if (!plan.foreground) log = await stayInBackground(plan.serve.verbose);
      try {
        const ends = [front.ended, signals.first, life.left];
        await Promise.race(server === null ? ends : [server.ended, ...ends]);
      } catch (error) {
        log("error", (error as Error).message);
        throw error;
      }
      notifier.send("STOPPING=1");
    } finally {
      await server?.stop();
    }
    return 0;
  } finally {
    leftovers.remove();
  }
}

/** Starts the server of a plan that is one. Rejects. */
async function serve(
  plan: AttachPlan,
  queues: number,
  signals: StopSignals,
  log: Log,
): Promise<Server> {
  const device = prepareDevice(plan.serve);
  const { policy: path } = plan.serve;
  const policy = path === undefined ? null : loadServedPolicy(path, log);
  const server = await startServer(
    {
      ...plan.serve,
      device,
      threads: queues,
      listen: [],
      connections: [],
      policy,
      profile: plan.profile,
    },
    log,
  );
  if (path !== undefined) signals.reload = () => reloadPolicy(path, server, log);
  return server;
}

async function makeFront(
  plan: AttachPlan,
  way: Promise<Via> | null,
  search: WaySearch,
  server: Server | null,
  predecessor: DeviceRecord | null,
  log: Log,
): Promise<FrontEnd> {
  const { exportName, connections, depth, timeoutSeconds, recoverySeconds } = plan;
  let begun: KernelDevice | null = null;
  const options: AttachOptions = {
    index: plan.device?.index ?? null,
    exportName,
    connections,
    queues: plan.queues ?? 1,
    depth,
    timeoutSeconds,
    recoverySeconds,
    predecessor,
    // Whoever finds the device after this process was killed knows whose it is.
    made(device, facts) {
      begun = device;
      writeRecord(recordOf({ device, facts }, plan));
    },
    beforeTakeOver: () => predecessor === null ? Promise.resolve() : takeOver(plan, predecessor),
    log,
  };
  const making = async (front: Promise<FrontEnd>, what = "the kernel to make the device") => {
    try {
      return await tellIfSlow(front, what);
    } catch (error) {
      if (begun !== null) removeRecord(begun.name, Deno.pid);
      throw error;
    }
  };
  if (server === null) {
    return await making(attachRemote(plan.remote!, options), "the server to answer");
  }
  if (way === null) return await making(attachDevice(plan.via as Via, server, options));
  const failures: string[] = [];
  for (let via = await way;; via = await search.next()) {
    try {
      const front = await making(attachDevice(via, server, options));
      if (failures.length > 0) log("warning", `using ${via}, because ${failures.join("; ")}`);
      return front;
    } catch (error) {
      search.failed(via, error);
      failures.push(`${via} fails: ${(error as Error).message}`);
    }
  }
}

/** The record of the device to recover. Rejects where there is nothing to take over. */
async function findPredecessor(plan: AttachPlan): Promise<DeviceRecord> {
  const { path, name } = plan.device!;
  const record = readRecord(name);
  if (record === null) {
    throw new Error(`cannot recover ${path}: sandblock does not know it; see "sandblock list"`);
  }
  if (!isAttached(plan.device!)) {
    throw new Error(`cannot recover ${path}: the kernel does not have it any more; attach it anew`);
  }
  const isServed = await askAdmin(socketPath(name), { command: "status" }) !== null;
  if (isServed && plan.takeOver === "recover") {
    throw new Error(
      `cannot recover ${path}: process ${record.pid} serves it; --replace takes it from there`,
    );
  }
  return record;
}

/** Has the process that serves a device leave it, if there is one. */
async function takeOver({ device }: AttachPlan, { pid }: DeviceRecord): Promise<void> {
  const path = socketPath(device!.name);
  if (await askAdmin(path, { command: "status" }) === null) return;
  // It may end before it has answered.
  await askAdmin(path, { command: "leave" }).catch(() => {});
  await until(() => !isAlive(pid));
}

/** A device while it is served: its record, its socket for commands, and what ends with it. */
class Life implements AsyncDisposable {
  /** Resolves when the process shall leave the device to another one. */
  readonly left: Promise<void>;

  readonly #front: FrontEnd;
  readonly #server: Server | null;
  readonly #log: Log;
  readonly #admin: AdminServer;
  #leaving = false;

  /** Begins the life of a device; takes it back where that fails. */
  static async begin(
    front: FrontEnd,
    server: Server | null,
    plan: AttachPlan,
    log: Log,
  ): Promise<Life> {
    try {
      return new Life(front, server, plan, log);
    } catch (error) {
      await front.detach();
      throw error;
    }
  }

  private constructor(front: FrontEnd, server: Server | null, plan: AttachPlan, log: Log) {
    this.#front = front;
    this.#server = server;
    this.#log = log;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.left = promise;
    const record = recordOf(front, plan);
    this.#admin = new AdminServer(socketPath(record.name), {
      status: () => ({ record, server: front.server?.() ?? null }),
      metrics: async () => ({ metrics: await server?.metrics() ?? null }),
      end: () => {
        front.expectEnd();
        return {};
      },
      resize: async ({ size }) => {
        // A device without one keeps its size.
        await resizeFront(front, server!, plan.exportName, size);
        record.size = `${front.facts.size}`;
        writeRecord(record);
        return { size: record.size };
      },
      leave: async () => {
        this.#leaving = true;
        front.leave();
        await server?.abandon();
        // The answer goes out first.
        setTimeout(resolve, 0);
        return {};
      },
    });
    writeRecord(record);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#admin.close();
    const { device } = this.#front;
    if (this.#leaving) return;
    this.#front.expectEnd();
    if (isAttached(device)) await this.#detach();
    await this.#server?.stop();
    removeRecord(device.name, Deno.pid);
  }

  async #detach(): Promise<void> {
    const { path } = this.#front.device;
    try {
      const refusal = `it has not written everything within ${FLUSH_MS / 1000} s`;
      await atMost(flushBlockDevice(path), FLUSH_MS, refusal);
    } catch (error) {
      this.#log("warning", `detaching ${path} although ${(error as Error).message}`);
    }
    try {
      await this.#front.detach();
    } catch (error) {
      this.#log("error", (error as Error).message);
    }
  }
}

function recordOf(
  { device, facts }: Pick<FrontEnd, "device" | "facts">,
  plan: AttachPlan,
): DeviceRecord {
  return newRecord({
    device: device.path,
    name: device.name,
    via: device.via,
    pid: Deno.pid,
    ...facts,
    size: `${facts.size}`,
    graph: plan.graph,
    since: new Date().toISOString(),
  });
}
