// SPDX-License-Identifier: MIT
// A server under test: started on a unix socket of its own, and stopped in good order at the end,
// which every test thereby tests as well.

import { PATIENCE_MS, within } from "./deadline.ts";
import { TestDirectory } from "./directory.ts";
import { sandblock } from "./program.ts";
import { TextStream } from "./text_stream.ts";
import { type ClientWishes, WireClient } from "./wire_client.ts";

const STOPPING: Deno.Signal[] = ["SIGTERM", "SIGINT", "SIGQUIT"];

/** How a server is started. */
export interface ServerOptions {
  env?: Record<string, string>;
  cwd?: string;
  /** Adds no listener of its own. */
  ownListeners?: boolean;
  /** A program with arguments that becomes the server. */
  wrapper?: readonly string[];
}

/** How it ended. */
export interface Ending {
  code: number;
  signal: Deno.Signal | null;
}

/** See the top of this file. For `await using`. */
export class TestServer implements AsyncDisposable {
  readonly pid: number;
  /** What it writes on stdout and stderr. */
  readonly output: TextStream;
  readonly log: TextStream;
  /** The addresses that it printed. */
  uris: string[] = [];

  readonly #directory: TestDirectory;
  readonly #child: Deno.ChildProcess;
  readonly #ending: Promise<Ending>;
  #ended: Ending | null = null;
  /** A second signal would end it at once. */
  #toldToStop = false;

  private constructor(directory: TestDirectory, child: Deno.ChildProcess) {
    this.#directory = directory;
    this.#child = child;
    this.pid = child.pid;
    this.output = new TextStream(child.stdout);
    this.log = new TextStream(child.stderr);
    this.#ending = child.status.then(({ code, signal }) => this.#ended = { code, signal });
  }

  /**
   * Starts `sandblock serve` with `args`, such as `memory 1G`, and a listener on `socket`. Resolves
   * when clients can connect.
   */
  static async start(args: readonly string[], options: ServerOptions = {}): Promise<TestServer> {
    const directory = new TestDirectory();
    const [program, ...first] = [...options.wrapper ?? [], ...sandblock()];
    const listener = options.ownListeners ? [] : ["--listen", unixUri(directory.file("socket"))];
    const child = new Deno.Command(program!, {
      // Also when the tests are killed nothing stays behind.
      args: [...first, "serve", "--exit-with-parent", "--print-uri", ...listener, ...args],
      ...options.cwd !== undefined && { cwd: options.cwd },
      ...options.env !== undefined && { env: options.env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const server = new TestServer(directory, child);
    await server.#started();
    return server;
  }

  /** The path of its unix socket. */
  get socket(): string {
    return this.#directory.file("socket");
  }

  /** The NBD URI of an export of it. */
  uri(exportName = ""): string {
    return unixUri(this.socket, exportName);
  }

  /** A client that has not said anything yet. */
  connect(): Promise<WireClient> {
    return WireClient.connect(this.socket);
  }

  /** A client in transmission. */
  async client(wishes: Partial<ClientWishes> = {}): Promise<WireClient> {
    const client = await this.connect();
    try {
      await client.negotiate(wishes);
      return client;
    } catch (error) {
      await client[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Sends it a signal, if it is still there. */
  signal(signal: Deno.Signal): void {
    this.#toldToStop ||= STOPPING.includes(signal);
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended by itself.
    }
  }

  /** Waits for its end. */
  async ended(timeoutMs = PATIENCE_MS): Promise<Ending> {
    const ending = await within(this.#ending, `the end of the server\n${this.log.text}`, timeoutMs);
    const outputs = Promise.all([this.output.ended, this.log.ended]);
    await within(outputs, "the end of what the server writes", timeoutMs);
    return ending;
  }

  /** Tells it to stop, unless that was done, and waits for its end. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<Ending> {
    if (!this.#toldToStop) this.signal(signal);
    return await this.ended();
  }

  /** Bytes of memory that are its own, in the sense of `free`: shared files do not count. */
  memoryBytes(): number {
    const status = Deno.readTextFileSync(`/proc/${this.pid}/status`);
    const kilobytes = (name: string) => Number(status.match(`${name}:\\s+(\\d+) kB`)?.[1] ?? 0);
    return (kilobytes("RssAnon") + kilobytes("RssShmem")) * 1024;
  }

  /** Seconds of processor time it has used. */
  cpuSeconds(): number {
    const stat = Deno.readTextFileSync(`/proc/${this.pid}/stat`);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const early = this.#ended;
    try {
      const { code, signal } = await this.stop();
      if (early !== null || code === 0) return;
      throw new Error(`the server ended with ${signal ?? code}\n${this.log.text}`);
    } finally {
      if (this.#ended === null) {
        this.signal("SIGKILL");
        await this.ended();
      }
      this.#directory[Symbol.dispose]();
    }
  }

  async #started(): Promise<void> {
    try {
      await this.output.match(/\n/);
      this.uris = this.output.text.split("\n").filter((line) => line !== "");
    } catch (error) {
      this.signal("SIGKILL");
      await this.ended();
      this.#directory[Symbol.dispose]();
      throw new Error(`${(error as Error).message}\n${this.log.text}`);
    }
  }
}

/** The NBD URI of an export behind a unix socket. */
export function unixUri(socket: string, exportName = ""): string {
  return `nbd+unix:///${encodeURIComponent(exportName)}?socket=${encodeURIComponent(socket)}`;
}
