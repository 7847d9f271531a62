// SPDX-License-Identifier: MIT
// Lets calls that are none for a request wait on the reactor's own thread, as they may: for an export
// that is to be opened, say. Requests are answered on other threads (pool.ts).

import { BlockError, Errno } from "../../block/errno.ts";
import { Status } from "../../block/request.ts";
import { IMPORTED } from "./functions.ts";
import { WAIT_TOKEN, type WaitingHost } from "./waiting_host.ts";

type Import = (...values: number[]) => number | bigint | undefined;

/** `core` with functions that return when what they do has ended; `until` does what there is to do meanwhile. */
export function waitingImports(
  core: WebAssembly.ModuleImports,
  host: WaitingHost,
  until: (isDone: () => boolean) => void,
): WebAssembly.ModuleImports {
  const imports = { ...core };
  for (const { name, waits } of IMPORTED) {
    if (!waits && name !== "sleep") continue;
    const begin = core[name] as Import;
    imports[name] = (...values: number[]) => {
      if (waits && !takeToken(host, name, values)) return refused(name);
      const begun = begin(...values) as number;
      if (!isUnderWay(name, begun)) return begun;
      return outcome(name, begun, resultOf(host, until), core);
    };
  }
  return imports;
}

/** Puts the host's token in place of the plugin's, which is 0; else that is a lie. */
export function takeToken(host: WaitingHost, name: string, values: number[]): boolean {
  const last = values.length - 1;
  if (values[last] === 0) {
    values[last] = WAIT_TOKEN;
    return true;
  }
  host.lied(`${name}: it waits, so the token is 0, not ${values[last]}`);
  return false;
}

/** Whether what `name` has returned means that it has not ended yet. */
export function isUnderWay(name: string, begun: number): boolean {
  return name === "net_open" ? begun >= 0 : begun === Status.Pending;
}

/** What `name` returns to the plugin, when what it began has ended with `result`. */
export function outcome(
  name: string,
  begun: number,
  result: number,
  core: WebAssembly.ModuleImports,
): number {
  if (name !== "net_open") return result;
  if (result === 0) return begun;
  // A connection that could not be had is no use to anybody.
  (core["net_close"] as Import)(begun);
  return -result;
}

/** What `name` returns where it was called as it may not be. */
export function refused(name: string): number {
  return name === "net_open" ? -Errno.EINVAL : Errno.EINVAL;
}

/** Waits for the result. */
function resultOf(host: WaitingHost, until: (isDone: () => boolean) => void): number {
  let result = Status.Pending as number;
  host.wait((value) => result = value);
  host.suspend();
  try {
    until(() => result !== Status.Pending);
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    host.forget();
    host.errorText = error.message;
    result = error.errno;
  }
  host.resume();
  return result;
}
