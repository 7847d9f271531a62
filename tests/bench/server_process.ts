// SPDX-License-Identifier: MIT
// A server while it runs: started, ready once it greets, measured, stopped.

import { greet, release } from "./client.ts";
import { processTree } from "./processes.ts";
import type { Launch, Place, Server } from "./servers.ts";

const READY_TIMEOUT_MS = 15_000;
const STOP_TIMEOUT_MS = 10_000;
const STEP_MS = 0.5;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** See the top of this file. */
export class ServerProcess {
  readonly server: Server;
  readonly launch: Launch;
  /** Milliseconds from the spawn to the greeting. */
  readonly startMs: number;
  /** The process that listens. */
  readonly pid: number;
  readonly #child: Deno.ChildProcess;
  readonly #output: Promise<string>;

  private constructor(
    server: Server,
    launch: Launch,
    startMs: number,
    pid: number,
    child: Deno.ChildProcess,
    output: Promise<string>,
  ) {
    this.server = server;
    this.launch = launch;
    this.startMs = startMs;
    this.pid = pid;
    this.#child = child;
    this.#output = output;
  }

  /** Starts `server`; resolves when it greets a client. Throws Error with its words if it does not. */
  static async start(server: Server, place: Place): Promise<ServerProcess> {
    Deno.mkdirSync(place.directory, { recursive: true });
    const launch = server.launch(place);
    const before = performance.now();
    const child = new Deno.Command(launch.command, {
      args: launch.args,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const output = new Response(child.stderr).text();
    let ended = false;
    child.status.then(() => ended = launch.pidFile === undefined);
    let problem: unknown;
    while (!ended && performance.now() - before < READY_TIMEOUT_MS) {
      try {
        const connection = await greet(launch.socket);
        const startMs = performance.now() - before;
        await release(connection);
        const pid = launch.pidFile
          ? Number(Deno.readTextFileSync(launch.pidFile).trim())
          : child.pid;
        return new ServerProcess(server, launch, startMs, pid, child, output);
      } catch (error) {
        problem = error;
        await sleep(STEP_MS);
      }
    }
    if (!ended) child.kill("SIGKILL");
    const said = (await output).trim();
    throw new Error(`cannot start ${server.id}: ${said || problem || "it ended without a word"}`);
  }

  /** The NBD URI of the export. */
  get uri(): string {
    const { exportName, socket } = this.launch;
    return `nbd+unix:///${encodeURIComponent(exportName)}?socket=${encodeURIComponent(socket)}`;
  }

  /** Whether it is still there. */
  get alive(): boolean {
    return processTree(this.pid).length > 0;
  }

  /** Ends it and what it has forked. */
  async stop(): Promise<void> {
    const tree = processTree(this.pid);
    for (const { pid } of tree) kill(pid, "SIGTERM");
    const until = performance.now() + STOP_TIMEOUT_MS;
    while (tree.some(({ pid }) => running(pid)) && performance.now() < until) await sleep(5);
    for (const { pid } of tree) if (running(pid)) kill(pid, "SIGKILL");
    await this.#child.status;
    await this.#output;
  }
}

function kill(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch { /* it has ended already */ }
}

/** Whether `pid` runs; a zombie that nobody has waited for yet does not. */
function running(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return false;
  }
}
