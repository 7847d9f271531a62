// SPDX-License-Identifier: MIT
// A server that is somebody else's program.

import { until, within } from "./deadline.ts";
import { TextStream } from "./text_stream.ts";

/** Runs until it is disposed of. For `await using`. */
export class PeerServer implements AsyncDisposable {
  readonly log: TextStream;
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.log = new TextStream(child.stderr);
  }

  /** Starts a program that listens on the unix socket at `path`; resolves when it does. */
  static async start(command: readonly string[], path: string): Promise<PeerServer> {
    const [program, ...args] = command;
    const options = { args, stdin: "null", stdout: "null", stderr: "piped" } as const;
    const server = new PeerServer(new Deno.Command(program!, options).spawn());
    try {
      await until(() => canConnect(path), `${program} at ${path}`);
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw new Error(`${(error as Error).message}\n${server.log.text}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGTERM");
    } catch {
      // It has ended by itself.
    }
    await within(this.#child.status, "the end of a peer").catch(() => this.#child.kill("SIGKILL"));
    await this.log.ended;
  }
}

async function canConnect(path: string): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch {
    return false;
  }
}
