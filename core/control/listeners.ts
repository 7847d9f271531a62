// SPDX-License-Identifier: MIT
// The listening sockets of a server: opened before it starts, their files removed when it ends.

import { BlockError, Errno } from "../block/errno.ts";
import { formatUri } from "../nbd/uri.ts";
import { closeDescriptor, setNonBlocking } from "../../native/descriptor.ts";
import { SystemError } from "../../native/errno.ts";
import {
  connectTo,
  listenOn,
  localAddress,
  type SocketAddress,
  socketRole,
} from "../../native/socket.ts";
import type { ListenAddress } from "./options.ts";

/** A listening socket. */
export interface Listener {
  fd: number;
  address: SocketAddress;
  /** Removes the socket file if it is still the one that was made here. */
  removeFile(): void;
}

/** Opens all of them, or none. Throws one clear error. */
export function openListeners(addresses: ListenAddress[]): Listener[] {
  const listeners: Listener[] = [];
  try {
    for (const address of addresses) listeners.push(openListener(address));
    return listeners;
  } catch (error) {
    for (const listener of listeners) closeListener(listener);
    throw error;
  }
}

/** Closes a listener that no reactor has. */
export function closeListener(listener: Listener): void {
  closeDescriptor(listener.fd);
  listener.removeFile();
}

/** The URI by which a client on this machine reaches `exportName` through the listener. */
export function listenerUri(listener: Listener, exportName: string): string {
  const { address } = listener;
  if (address.kind === "unix") {
    const socket = address.path.replace(/^@/, "\0");
    return formatUri({ scheme: "nbd+unix", exportName, socket });
  }
  if (address.kind === "other") return "";
  const wildcard = address.host === "::" || address.host === "0.0.0.0";
  const host = wildcard ? "localhost" : address.host;
  return formatUri({ scheme: "nbd", host, port: address.port, exportName });
}

function openListener(address: ListenAddress): Listener {
  if (address.kind === "fd") return inheritListener(address.fd);
  if (address.kind === "tcp") {
    const fd = listenOnPort(address);
    return { fd, address: localAddress(fd), removeFile() {} };
  }
  const fd = listenOnPath(address.path);
  if (address.path.startsWith("@")) return { fd, address, removeFile() {} };
  const made = Deno.lstatSync(address.path);
  return { fd, address, removeFile: () => removeIfSame(address.path, made) };
}

function inheritListener(fd: number): Listener {
  if (socketRole(fd) !== "listening") {
    throw new BlockError(
      Errno.ENOTSOCK,
      `cannot listen on descriptor ${fd}: it is not a listening socket`,
    );
  }
  setNonBlocking(fd);
  return { fd, address: localAddress(fd), removeFile() {} };
}

function listenOnPort(address: SocketAddress): number {
  try {
    return listenOn(address);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    const right = PORT_ADVICE.get(error.errno);
    throw right === undefined ? error : new BlockError(error.errno, `${error.message}; ${right}`);
  }
}

/** What would be right where a port cannot be had. */
const PORT_ADVICE: ReadonlyMap<number, string> = new Map([
  [Errno.EADDRINUSE, "another server may be running there, and --port chooses another port"],
  [Errno.EADDRNOTAVAIL, "it has to be an address of this machine"],
  [Errno.EACCES, "ports below 1024 are for root"],
]);

/** Listens on a path; a socket file that a dead server has left behind is replaced. */
function listenOnPath(path: string): number {
  const address: SocketAddress = { kind: "unix", path };
  try {
    return listenOn(address);
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== Errno.EADDRINUSE) throw error;
    if (!path.startsWith("@") && !Deno.lstatSync(path).isSocket) {
      const right = "it is no socket, so it is not replaced; choose another path";
      throw new BlockError(error.errno, `cannot listen on "${path}": ${right}`);
    }
    if (path.startsWith("@") || isAlive(address)) {
      throw new BlockError(error.errno, `${error.message}; another server may be running there`);
    }
    Deno.removeSync(path);
    return listenOn(address);
  }
}

function isAlive(address: SocketAddress): boolean {
  try {
    closeDescriptor(connectTo(address));
    return true;
  } catch (error) {
    return !(error instanceof SystemError) || error.errno !== Errno.ECONNREFUSED;
  }
}

function removeIfSame(path: string, made: Deno.FileInfo): void {
  try {
    const now = Deno.lstatSync(path);
    if (now.ino === made.ino && now.dev === made.dev) Deno.removeSync(path);
  } catch {
    // Somebody else has removed it.
  }
}
