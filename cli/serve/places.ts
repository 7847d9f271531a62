// SPDX-License-Identifier: MIT
// From planned listeners to addresses that a server can be started with: names are looked up, free
// ports found, private directories made.

import { listenAddresses } from "../../core/control/addresses.ts";
import type { ListenAddress } from "../../core/control/options.ts";
import { reason } from "../files.ts";
import type { Log } from "../log.ts";
import type { Leftovers } from "./leftovers.ts";
import type { Listener } from "./listeners.ts";

/** Longest path of a unix socket in bytes (unix(7)). */
const SOCKET_PATH_BYTES_MAX = 107;

/** The addresses of all `listeners`. Throws Error with one sentence. */
export async function places(
  listeners: readonly Listener[],
  leftovers: Leftovers,
  log: Log,
): Promise<ListenAddress[]> {
  const addresses: ListenAddress[] = [];
  for (const listener of listeners) {
    if (listener.kind === "tcp") {
      const skipped = (host: string) =>
        log("debug", `not listening on ${host}: the system has no IPv6`);
      addresses.push(...await listenAddresses(listener.hosts, listener.port, skipped));
    } else if (listener.kind === "private") {
      addresses.push({ kind: "unix", path: privatePath(leftovers) });
    } else if (listener.kind === "unix") {
      addresses.push({ kind: "unix", path: absolutePath(listener.path) });
    } else {
      addresses.push(listener);
    }
  }
  return addresses;
}

/** So that its URI holds in any directory; a path that would become too long stays as it is. */
function absolutePath(path: string): string {
  if (/^[/@]/.test(path)) return path;
  const absolute = `${Deno.cwd()}/${path.replace(/^(\.\/+)+/, "")}`;
  return fits(absolute) ? absolute : path;
}

function fits(path: string): boolean {
  return new TextEncoder().encode(path).length <= SOCKET_PATH_BYTES_MAX;
}

/** A path in a new directory that only this user can enter. */
function privatePath(leftovers: Leftovers): string {
  const make = (dir?: string) => {
    let directory: string;
    try {
      directory = Deno.makeTempDirSync({ prefix: "sandblock-", ...dir && { dir } });
    } catch (error) {
      const where = dir ?? Deno.env.get("TMPDIR") ?? "/tmp";
      throw new Error(
        `cannot make a directory for the private socket in "${where}": ${reason(error)}; ` +
          "TMPDIR names another place",
      );
    }
    leftovers.directory(directory);
    return `${directory}/socket`;
  };
  const path = make();
  // A socket needs a short path; TMPDIR may be a long one.
  return fits(path) ? path : make("/tmp");
}
