// SPDX-License-Identifier: MIT
// Where to listen: from -U, -p, -i, -4, -6, --listen and inherited sockets to a list of listeners.

import { parseUri } from "../../core/nbd/uri.ts";
import { DEFAULT_PORT } from "../../core/nbd/wire.ts";
import { UsageError } from "../errors.ts";
import { count } from "../values.ts";
import type { ServeValues } from "./options.ts";

/** A place to listen on, before names are looked up and ports chosen. */
export type Listener =
  /** All hosts get the same port; 0 is chosen by the system. */
  | { kind: "tcp"; hosts: Host[]; port: number }
  | { kind: "unix"; path: string }
  /** A socket in a new private directory. */
  | { kind: "private" }
  | { kind: "fd"; fd: number };

/** A host of a TCP listener. */
export interface Host {
  /** A numeric address or a name. */
  name: string;
  /** Which addresses of the name. */
  family: "any" | "ipv4" | "ipv6";
  /** A system without IPv6 goes on without it. */
  optional?: true;
}

/** What else the server has to do. */
export interface Otherwise {
  listenFds: readonly number[];
  /** There is a client already: `-s`, `--fd`, an inherited connection. */
  connected: boolean;
}

/** The listeners that `values` ask for. Throws UsageError. */
export function planListeners(values: ServeValues, otherwise: Otherwise): Listener[] {
  const listeners: Listener[] = otherwise.listenFds.map((fd) => ({ kind: "fd", fd }));
  for (const path of values.unix ?? []) listeners.push(unixListener(path));
  const asked = values.port !== undefined || values.ipaddr !== undefined;
  const port = count("--port", values.port ?? `${DEFAULT_PORT}`, { minimum: 0, maximum: 65535 });
  if (asked) listeners.push({ kind: "tcp", hosts: hosts(values), port });
  for (const uri of values.listen ?? []) listeners.push(uriListener(uri, values));
  if (listeners.length > 0 || otherwise.connected) return listeners;
  if (values.run !== undefined) return [{ kind: "private" }];
  return [{ kind: "tcp", hosts: hosts(values), port }];
}

function unixListener(path: string): Listener {
  if (path === "-") return { kind: "private" };
  if (path === "" || path === "@") {
    throw new UsageError(`cannot use --unix "${path}": the path is empty`);
  }
  return { kind: "unix", path };
}

function hosts(values: ServeValues): Host[] {
  const family = chosenFamily(values);
  if (values.ipaddr) return values.ipaddr.map((name) => checkedHost(name, family, "--ipaddr"));
  return everywhere(family);
}

/** All addresses of the machine. */
function everywhere(family: Host["family"]): Host[] {
  if (family === "ipv4") return [{ name: "0.0.0.0", family }];
  if (family === "ipv6") return [{ name: "::", family }];
  return [{ name: "::", family: "ipv6", optional: true }, { name: "0.0.0.0", family: "ipv4" }];
}

function chosenFamily(values: ServeValues): Host["family"] {
  if (values.ipv4Only) return "ipv4";
  return values.ipv6Only ? "ipv6" : "any";
}

function checkedHost(name: string, family: Host["family"], option: string): Host {
  const bare = name.replace(/^\[(.*)\]$/, "$1");
  if (bare === "") throw new UsageError(`cannot use ${option} "${name}": the address is empty`);
  if (family === "ipv4" && bare.includes(":")) {
    throw new UsageError(`cannot use ${option} "${name}" with --ipv4-only: it is an IPv6 address`);
  }
  if (family === "ipv6" && /^\d+(\.\d+){3}$/.test(bare)) {
    throw new UsageError(`cannot use ${option} "${name}" with --ipv6-only: it is an IPv4 address`);
  }
  return { name: bare, family };
}

function uriListener(text: string, values: ServeValues): Listener {
  const refuse = (why: string) => new UsageError(`cannot use --listen "${text}": ${why}`);
  const uri = parsedUri(text);
  if (uri.scheme.startsWith("nbds")) {
    throw refuse("TLS is not supported; write nbd:// or nbd+unix://");
  }
  if (uri.scheme === "nbd+vsock") throw refuse("vsock is not supported yet");
  if (uri.user !== "" || uri.parameters.size > 0) {
    throw refuse("a listener has no user and no parameters but the socket");
  }
  if (uri.exportName !== "") throw refuse("a listener has no export name; use --exportname");
  if ("socket" in uri) return unixListener(uri.socket.replace(/^\0/, "@"));
  const family = chosenFamily(values);
  const hosts = uri.host === "" ? everywhere(family) : [checkedHost(uri.host, family, "--listen")];
  return { kind: "tcp", hosts, port: uri.port };
}

function parsedUri(text: string): ReturnType<typeof parseUri> {
  try {
    return parseUri(text);
  } catch (error) {
    const fact = (error as Error).message.replace(/^cannot parse NBD URI ".*?": /, "");
    const right = fact.includes("; ") ? "" : "; write nbd://HOST:PORT or nbd+unix:///?socket=PATH";
    throw new UsageError(`cannot use --listen "${text}": ${fact}${right}`);
  }
}
