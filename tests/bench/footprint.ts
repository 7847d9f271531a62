// SPDX-License-Identifier: MIT
// What a server takes without load: time to start, CPU while clients are idle, memory.

import { hold, release } from "./client.ts";
import { fioArguments, runFio } from "./fio.ts";
import { peakBytes, residentBytes, threadSeconds } from "./processes.ts";
import type { Footprint } from "./result.ts";
import { ROWS } from "./rows.ts";
import type { Bench } from "./run_rows.ts";
import { ServerProcess } from "./server_process.ts";
import type { Server } from "./servers.ts";
import { rotated } from "./statistics.ts";

const STARTS = 5;
const IDLE_CLIENTS = 4;
const IDLE_SETTLE_MS = 1000;
const IDLE_MS = 5000;
const IDLE_CONNECTIONS = 1000;
const IDLE_CONNECTIONS_TIMEOUT_MS = 30_000;
const READ_SECONDS = 1;
const READ_TIMEOUT_MS = 30_000;

/** Seconds that `measureFootprints` takes for each server, about. */
export const FOOTPRINT_SECONDS = 12;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function start(bench: Bench, server: Server, attempt: number): Promise<ServerProcess> {
  return ServerProcess.start(server, {
    medium: "memory",
    size: bench.result.settings.size,
    directory: `${bench.directory}/start-${attempt}-${server.id}`,
    file: bench.files.memory,
  });
}

async function holdMany(server: ServerProcess, count: number): Promise<Deno.UnixConn[]> {
  const connections: Deno.UnixConn[] = [];
  const until = performance.now() + IDLE_CONNECTIONS_TIMEOUT_MS;
  try {
    while (connections.length < count) {
      if (performance.now() > until) throw new Error(`it took only ${connections.length} in time`);
      connections.push(await hold(server.launch.socket, server.launch.exportName));
    }
  } catch (error) {
    for (const connection of connections) connection.close();
    throw error;
  }
  return connections;
}

async function releaseAll(connections: Deno.UnixConn[]): Promise<void> {
  for (const connection of connections) await release(connection);
}

async function idleCpu(server: ServerProcess): Promise<number> {
  const clients = await holdMany(server, IDLE_CLIENTS);
  await sleep(IDLE_SETTLE_MS);
  const before = threadSeconds(server.pid);
  const since = performance.now();
  await sleep(IDLE_MS);
  const used = threadSeconds(server.pid) - before;
  const seconds = (performance.now() - since) / 1000;
  await releaseAll(clients);
  return used / seconds;
}

async function idleConnections(server: ServerProcess): Promise<number> {
  const before = residentBytes(server.pid);
  const clients = await holdMany(server, IDLE_CONNECTIONS);
  await sleep(IDLE_SETTLE_MS);
  const added = residentBytes(server.pid) - before;
  await releaseAll(clients);
  return added;
}

async function readEmpty(bench: Bench, server: ServerProcess): Promise<void> {
  const row = ROWS.find((one) => one.name === "memory/read-128k")!;
  const { size } = bench.result.settings;
  const args = fioArguments({ row, uri: server.uri, size, runtimeSeconds: READ_SECONDS, seed: 1 });
  await runFio(args, READ_TIMEOUT_MS);
}

/** Measures one server that was just started; what fails is said and stays null. */
async function measure(bench: Bench, server: ServerProcess, one: Footprint): Promise<void> {
  const attempt = async (what: string, action: () => Promise<void>) => {
    if (bench.signal.aborted) return;
    try {
      await action();
    } catch (error) {
      const line = `${what}, ${server.server.id}: ${(error as Error).message}`;
      bench.say(line);
      bench.result.failures.push(line);
    }
  };
  await attempt("idle CPU", async () => {
    one.idleCpu = await idleCpu(server);
  });
  one.peakEmptyBytes = peakBytes(server.pid);
  await attempt("reading an empty disk", async () => {
    await readEmpty(bench, server);
    one.peakReadBytes = peakBytes(server.pid);
  });
  await attempt("1,000 idle connections", async () => {
    one.idleConnectionsBytes = await idleConnections(server);
  });
}

/** Measures all servers of `bench` into its result. */
export async function measureFootprints(bench: Bench): Promise<void> {
  const footprints = new Map<string, Footprint>(bench.servers.map(({ id }) => [id, {
    server: id,
    startMs: [],
    peakEmptyBytes: null,
    peakReadBytes: null,
    idleCpu: null,
    idleConnectionsBytes: null,
  }]));
  for (let attempt = 0; attempt < STARTS; attempt++) {
    for (const server of rotated(bench.servers, attempt)) {
      if (bench.signal.aborted) return;
      const one = footprints.get(server.id)!;
      try {
        const running = await start(bench, server, attempt);
        one.startMs.push(running.startMs);
        if (attempt === STARTS - 1) {
          bench.say(`without load: ${server.id}`);
          await measure(bench, running, one);
        }
        await running.stop();
      } catch (error) {
        bench.result.failures.push(`start, ${server.id}: ${(error as Error).message}`);
      }
    }
  }
  bench.result.footprints = [...footprints.values()];
  bench.save();
}
