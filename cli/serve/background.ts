// SPDX-License-Identifier: MIT
// --fork: the server runs in a session of its own, and the command that was typed ends when clients
// can connect. The process starts itself once more, because a process with threads cannot fork.

import { userEnvironment } from "../../native/user_environment.ts";
import { EXIT_FAILURE } from "../errors.ts";
import { type Log, syslog } from "../log.ts";
import { print, printBytes } from "../output.ts";

/** The variable that is set for the process in the background. */
export const BACKGROUND_MARK = "SANDBLOCK_IN_BACKGROUND";
/** What that process writes last on its standard output: clients can connect. */
const READY = 0;

/** Whether this is the process in the background. */
export function isInBackground(): boolean {
  return Deno.env.get(BACKGROUND_MARK) === "1";
}

/** Starts the process in the background and waits until it is ready; the exit status. */
export async function startInBackground(): Promise<number> {
  const [command, ...args] = ownCommand();
  const child = new Deno.Command(command!, {
    args: [...args, ...Deno.args],
    clearEnv: true,
    env: { ...userEnvironment(), [BACKGROUND_MARK]: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
    detached: true,
  }).spawn();
  // Ctrl-C does not reach a session of its own; whoever gives up wants it to be undone as well.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => tryToKill(child));
  }
  for await (const bytes of child.stdout) {
    const end = bytes.indexOf(READY);
    printBytes(end < 0 ? bytes : bytes.subarray(0, end));
    if (end >= 0) return 0;
  }
  const { code } = await child.status;
  return code === 0 ? EXIT_FAILURE : code;
}

/** Tells the waiting process that all is well and lets go of its terminal; the log from now on. */
export async function stayInBackground(verbose: boolean): Promise<Log> {
  const { openNull, replaceDescriptor } = await import("../../native/process.ts");
  print(String.fromCharCode(READY));
  // Deno has copies of these descriptors; one that is left would keep a pipe or terminal open.
  const outputs = [1, 2].map(targetOf).filter((target) => target !== "/dev/null");
  const nothing = openNull();
  for (const { name } of [...Deno.readDirSync("/proc/self/fd")]) {
    if (outputs.includes(targetOf(Number(name)))) replaceDescriptor(nothing, Number(name));
  }
  return await syslog(verbose) ?? (() => {});
}

function tryToKill(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGTERM");
  } catch {
    // It has ended by itself.
  }
}

/** What a descriptor is open on: a path, or `pipe:[123]`. */
function targetOf(fd: number): string {
  try {
    return Deno.readLinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return "";
  }
}

/** How this program is started. */
export function ownCommand(): string[] {
  const main = new URL(Deno.mainModule);
  // The executable is its own program; otherwise Deno runs main.ts.
  if (!main.pathname.endsWith("/cli/main.ts")) return [Deno.execPath()];
  return [Deno.execPath(), "run", "-A", main.href];
}
