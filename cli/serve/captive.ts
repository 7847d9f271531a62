// SPDX-License-Identifier: MIT
// --run: a shell command that has the server for as long as it runs (nbdkit calls this captive).

import type { Server } from "../../core/control/options.ts";
import { parseUri } from "../../core/nbd/uri.ts";
import { userEnvironment } from "../../native/user_environment.ts";
import type { StopSignals } from "./signals.ts";

/** Variables that were meant for this process and would mislead the command. */
const OURS = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET"];

/** Runs `command`, for `exportName`, until it ends; its exit status, or 128 and the number of the signal. */
export async function runCaptive(
  command: string,
  exportName: string,
  server: Server,
  signals: StopSignals,
): Promise<number> {
  const environment = userEnvironment();
  for (const name of OURS) delete environment[name];
  Object.assign(environment, captiveVariables(server.uris, exportName));
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", command],
    clearEnv: true,
    env: environment,
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  signals.first.then((signal) => {
    // Keys on a terminal reach the command without our help.
    const typed = signal !== "SIGTERM" && Deno.stdin.isTerminal();
    if (!typed) tryToKill(child, signal);
  });
  let death: unknown;
  server.ended.catch((error) => {
    death = error;
    tryToKill(child, "SIGTERM");
  });
  const { code } = await child.status;
  if (death) throw death;
  return code;
}

/** What the command gets to know, by the names that nbdkit gives them. */
export function captiveVariables(
  uris: readonly string[],
  exportName: string,
): Record<string, string> {
  const variables = {
    uri: uris[0] ?? "",
    nbd: "",
    port: "",
    unixsocket: "",
    exportname: exportName,
  };
  let host = "localhost";
  for (const text of uris.toReversed()) {
    const uri = parseUri(text);
    if ("socket" in uri) variables.unixsocket = uri.socket.replace(/^\0/, "@");
    else {
      variables.port = `${uri.port}`;
      if ("host" in uri) host = uri.host.includes(":") ? `[${uri.host}]` : uri.host;
    }
  }
  const suffix = exportName === "" ? "" : `:exportname=${exportName}`;
  const { unixsocket, port } = variables;
  // The form that qemu had before there were NBD URIs.
  if (unixsocket !== "") variables.nbd = `nbd:unix:${unixsocket}${suffix}`;
  else if (port !== "") variables.nbd = `nbd:${host}:${port}${suffix}`;
  return variables;
}

function tryToKill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It has ended by itself.
  }
}
