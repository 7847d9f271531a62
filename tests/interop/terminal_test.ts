// SPDX-License-Identifier: MIT
// A server that was started on a terminal, and SIGHUP: a wish that files be read again, or the end of the
// terminal.

import assert from "node:assert/strict";
import { until } from "../support/deadline.ts";
import { TestDirectory } from "../support/directory.ts";
import { sandblock } from "../support/program.ts";
import { TextStream } from "../support/text_stream.ts";

/** A server on a terminal of its own. For `await using`. */
class OnTerminal implements AsyncDisposable {
  pid = 0;
  readonly screen: TextStream;
  readonly #terminal: Deno.ChildProcess;
  readonly #directory = new TestDirectory();

  private constructor(args: readonly string[]) {
    const line = [...sandblock(), "serve", ...this.#listening(), ...args].join(" ");
    this.#terminal = new Deno.Command("script", {
      args: ["-qfec", line, "/dev/null"],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.screen = new TextStream(this.#terminal.stdout);
  }

  static async start(args: readonly string[]): Promise<OnTerminal> {
    const server = new OnTerminal(args);
    await server.screen.match(/serving /);
    server.pid = Number(await Deno.readTextFile(server.#directory.file("pid")));
    return server;
  }

  #listening(): string[] {
    return ["-U", this.#directory.file("socket"), "-P", this.#directory.file("pid")];
  }

  get alive(): boolean {
    try {
      return !/^State:\tZ/m.test(Deno.readTextFileSync(`/proc/${this.pid}/status`));
    } catch {
      return false;
    }
  }

  /** Takes the terminal away. */
  async hangUp(): Promise<void> {
    this.#terminal.kill("SIGKILL");
    await this.#terminal.status;
  }

  async ended(): Promise<void> {
    await until(() => !this.alive, "the end of the server");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.alive) Deno.kill(this.pid, "SIGKILL");
    await this.#terminal.stdin.close().catch(() => {});
    await this.#terminal.status;
    await this.screen.ended;
    this.#directory[Symbol.dispose]();
  }
}

Deno.test("SIGHUP reads the policy again on a terminal, too", async () => {
  using directory = new TestDirectory();
  const policy = directory.write("rules.policy", "default allow\n");
  await using server = await OnTerminal.start(["--policy", policy, "memory", "1M"]);
  Deno.kill(server.pid, "SIGHUP");
  await server.screen.match(/was read again/);
  assert(server.alive);
  Deno.kill(server.pid, "SIGTERM");
  await server.ended();
});

for (const policy of [true, false]) {
  Deno.test(`a server ${policy ? "with a" : "without"} policy stops when its terminal goes`, async () => {
    using directory = new TestDirectory();
    const rules = policy ? ["--policy", directory.write("rules.policy", "default allow\n")] : [];
    await using server = await OnTerminal.start([...rules, "memory", "1M"]);
    await server.hangUp();
    await server.ended();
  });
}
