// SPDX-License-Identifier: MIT
// A connection to a remote NBD server, brought into transmission here (core/nbd/client.ts), so that
// its socket can be given to the kernel, which speaks simple replies only.

import { type Agreement, ClientNegotiation } from "../nbd/client.ts";
import { formatUri, type NbdUri } from "../nbd/uri.ts";
import { Replies } from "../nbd/wire.ts";
import { closeDescriptor } from "../../native/descriptor.ts";
import { lastErrno, SystemError } from "../../native/errno.ts";
import { libc } from "../../native/libc.ts";
import { resolveHost } from "../../native/resolve.ts";
import { beginConnect, connectionErrno, type SocketAddress, tuneTcp } from "../../native/socket.ts";
import { Ready, type Waiter } from "../../native/waiter.ts";

/** Connecting and the handshake may take so long in all. */
const HANDSHAKE_MS_MAX = 10_000;
const CHUNK_BYTES = 65536;
const EAGAIN = 11;

/** A server that is ready for requests. */
export interface RemoteConnection {
  fd: number;
  uri: NbdUri;
  agreement: Agreement;
}

/**
 * Connects to the first of `uris` that lets itself be used, which `check` may object to by throwing.
 * Rejects with what the last one said.
 */
export async function connectToOne(
  uris: readonly NbdUri[],
  waiter: Waiter,
  check: (agreement: Agreement) => void,
): Promise<RemoteConnection> {
  let failure: unknown;
  for (const uri of uris) {
    try {
      return await connectTo(uri, waiter, check);
    } catch (error) {
      if (waiter.stopped) throw error;
      failure = new Error(`cannot use ${formatUri(uri)}: ${reasonOf(error)}`);
    }
  }
  throw failure;
}

/** Throws Error for a server that can never be attached, whatever it says. */
export function checkRemote(uri: NbdUri): void {
  const { scheme } = uri;
  const refuse = (why: string) => new Error(`cannot attach ${formatUri(uri)}: ${why}`);
  if (scheme.startsWith("nbds")) {
    throw refuse("the kernel does not speak TLS, and takes the socket as it is");
  }
  if (scheme === "nbd+vsock") throw refuse("the kernel does not use VSOCK for NBD");
}

async function connectTo(
  uri: NbdUri,
  waiter: Waiter,
  check: (agreement: Agreement) => void,
): Promise<RemoteConnection> {
  const deadlineMs = performance.now() + HANDSHAKE_MS_MAX;
  const fd = await reach(uri, waiter, deadlineMs);
  try {
    tuneTcp(fd);
    const agreement = await shakeHands(fd, uri.exportName, waiter, deadlineMs);
    check(agreement);
    return { fd, uri, agreement };
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
}

/** A connected socket, of the first address that can be reached. */
async function reach(uri: NbdUri, waiter: Waiter, deadlineMs: number): Promise<number> {
  let failure: unknown;
  for (const address of addressesOf(uri)) {
    const { fd, errno } = beginConnect(address);
    try {
      if (errno !== 0) throw new SystemError("connect", errno);
      await ready(fd, Ready.Out, waiter, deadlineMs);
      const outcome = connectionErrno(fd);
      if (outcome === 0) return fd;
      throw new SystemError("connect", outcome);
    } catch (error) {
      closeDescriptor(fd);
      failure = error;
    }
  }
  throw failure;
}

function addressesOf(uri: NbdUri): SocketAddress[] {
  if ("socket" in uri) return [{ kind: "unix", path: uri.socket.replace(/^\0/, "@") }];
  const { host, port } = uri;
  const hosts = resolveHost(host === "" ? "localhost" : host, "any");
  return hosts.map((numeric) => ({ kind: "tcp", host: numeric, port }));
}

async function shakeHands(
  fd: number,
  exportName: string,
  waiter: Waiter,
  deadlineMs: number,
): Promise<Agreement> {
  const client = new ClientNegotiation({ exportName, replies: Replies.Simple });
  const chunk = new Uint8Array(CHUNK_BYTES);
  while (client.state === "negotiating") {
    await ready(fd, Ready.In, waiter, deadlineMs);
    const length = libc.read(fd, chunk, chunk.length);
    if (length === 0) throw new Error("the server has closed the connection");
    if (length > 0) client.receive(chunk.subarray(0, length));
    else if (lastErrno() !== EAGAIN) throw new SystemError("read", lastErrno());
    for (const message of client.takeOutput()) await send(fd, message, waiter, deadlineMs);
  }
  if (client.state === "failed") throw new Error(`the server says "${client.failure}"`);
  if (client.takeRest().length > 0) throw new Error("the server speaks before it is asked");
  return client.agreement;
}

async function send(
  fd: number,
  message: Uint8Array,
  waiter: Waiter,
  deadlineMs: number,
): Promise<void> {
  const bytes = new Uint8Array(message);
  for (let at = 0; at < bytes.length;) {
    const length = libc.write(fd, bytes.subarray(at), bytes.length - at);
    if (length >= 0) at += length;
    else if (lastErrno() !== EAGAIN) throw new SystemError("write", lastErrno());
    else await ready(fd, Ready.Out, waiter, deadlineMs);
  }
}

async function ready(
  fd: number,
  events: number,
  waiter: Waiter,
  deadlineMs: number,
): Promise<void> {
  const leftMs = Math.ceil(deadlineMs - performance.now());
  const happened = leftMs <= 0 ? [0] : await waiter.wait([{ fd, events }], leftMs);
  if (happened === null) throw new Error("it was given up");
  if (happened[0] === 0) {
    throw new Error(`it does not answer within ${HANDSHAKE_MS_MAX / 1000} s`);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof SystemError ? error.reason : (error as Error).message;
}
