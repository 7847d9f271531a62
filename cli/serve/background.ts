// SPDX-License-Identifier: MIT
// --fork: the server runs in a session of its own, and the command that was typed ends when clients
// can connect. The process starts itself once more, because a process with threads cannot fork.

import { userEnvironment } from "../../native/user_environment.ts";
import { EXIT_FAILURE } from "../errors.ts";
import { type Log, syslog } from "../log.ts";
import { print, printBytes } from "../output.ts";

/** Set for the process in the background. */
const MARK = "SANDBLOCK_IN_BACKGROUND";
/** What that process writes last on its standard output: clients can connect. */
const READY = 0;

/** Whether this is the process in the background. */
export function isInBackground(): boolean {
  return Deno.env.get(MARK) === "1";
}

/** Starts the process in the background and waits until it is ready; the exit status. */
export async function startInBackground(): Promise<number> {
  const [command, ...args] = ownCommand();
  const child = new Deno.Command(command!, {
    args: [...args, ...Deno.args],
    clearEnv: true,
    env: { ...userEnvironment(), [MARK]: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
    detached: true,
  }).spawn();
  const output = new Uint8Array(await new Response(child.stdout).arrayBuffer());
  if (output.at(-1) === READY) {
    printBytes(output.subarray(0, -1));
    return 0;
  }
  printBytes(output);
  const { code } = await child.status;
  return code === 0 ? EXIT_FAILURE : code;
}

/** Tells the waiting process that all is well and lets go of its terminal; the log from now on. */
export async function stayInBackground(verbose: boolean): Promise<Log> {
  const { openNull, replaceDescriptor } = await import("../../native/process.ts");
  print(String.fromCharCode(READY));
  const nothing = openNull();
  replaceDescriptor(nothing, 1);
  replaceDescriptor(nothing, 2);
  return await syslog(verbose) ?? (() => {});
}

/** How this program is started. */
function ownCommand(): string[] {
  const main = new URL(Deno.mainModule);
  // The executable is its own program; otherwise Deno runs main.ts.
  if (!main.pathname.endsWith("/cli/main.ts")) return [Deno.execPath()];
  return [Deno.execPath(), "run", "-A", main.href];
}
