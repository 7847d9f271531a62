// SPDX-License-Identifier: MIT
// Runs other programs to their end and keeps what they said.

import { within } from "./deadline.ts";

/** How a program is run. */
export interface CommandOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** What it reads; nothing unless given. */
  input?: Uint8Array<ArrayBuffer> | string;
  timeoutMs?: number;
}

/** How it ended. */
export interface CommandResult {
  /** Exit status; 128 and the number of the signal that ended it. */
  code: number;
  signal: Deno.Signal | null;
  stdout: string;
  stderr: string;
  /** What it wrote on stdout, byte by byte. */
  bytes: Uint8Array<ArrayBuffer>;
}

const TIMEOUT_MS = 60_000;
const KILL_AFTER_MS = 3000;

/** Runs a program. Throws Error when it does not end in time, after having ended it. */
export async function run(
  command: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const { input, timeoutMs = TIMEOUT_MS, cwd, env } = options;
  const [program, ...args] = command;
  const child = new Deno.Command(program!, {
    args,
    ...cwd !== undefined && { cwd },
    ...env !== undefined && { env },
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (input !== undefined) feed(child.stdin, input);
  const output = child.output();
  const text = new TextDecoder();
  try {
    const { code, signal, stdout, stderr } = await within(output, command.join(" "), timeoutMs);
    return {
      code,
      signal,
      stdout: text.decode(stdout),
      stderr: text.decode(stderr),
      bytes: stdout,
    };
  } catch (error) {
    const late = await end(child, output);
    throw new Error(`${(error as Error).message}\n${late}`);
  }
}

/** Runs a program that has to succeed; what it wrote on stdout. */
export async function output(
  command: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  return (await succeed(command, options)).stdout;
}

/** Runs a program that has to succeed. Throws Error with what it said when it fails. */
export async function succeed(
  command: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const result = await run(command, options);
  if (result.code === 0) return result;
  throw new Error(
    `${command.join(" ")} ended with ${result.code}\n${result.stdout}${result.stderr}`,
  );
}

async function feed(
  stdin: WritableStream<Uint8Array<ArrayBuffer>>,
  input: Uint8Array<ArrayBuffer> | string,
) {
  const writer = stdin.getWriter();
  const bytes = typeof input === "string" ? new TextEncoder().encode(input) : input;
  try {
    await writer.write(bytes);
    await writer.close();
  } catch {
    // It does not want to read that: its business.
  }
}

/** Ends a program that does not end by itself; what it had said. */
async function end(
  child: Deno.ChildProcess,
  output: Promise<Deno.CommandOutput>,
): Promise<string> {
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), KILL_AFTER_MS);
  const { stdout, stderr } = await output;
  clearTimeout(timer);
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}
