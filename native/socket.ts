// SPDX-License-Identifier: MIT
// Stream sockets, TCP and unix: socket addresses (ip(7), ipv6(7), unix(7)), listening, accepting.

import { closeDescriptor } from "./descriptor.ts";
import { check, lastErrno, SystemError } from "./errno.ts";
import { formatIpv6, parseIpv4, parseIpv6 } from "./ip.ts";
import { lateLibc } from "./libc.ts";

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const EINPROGRESS = 115;
const SO_ERROR = 4;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_KEEPALIVE = 9;
const SO_PEERCRED = 17;
const SO_ACCEPTCONN = 30;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
/** The kernel cuts it to net.core.somaxconn. */
const LISTEN_BACKLOG = 4096;
/** sizeof(struct sockaddr_storage). */
const ADDRESS_BYTES_MAX = 128;
const UNIX_PATH_BYTES_MAX = 107;

/** Which sockets there are. */
export type SocketAddress =
  | { kind: "tcp"; host: string; port: number }
  /** `@name` is in the abstract namespace. An empty path is an unnamed socket. */
  | { kind: "unix"; path: string }
  | { kind: "other"; family: number };

/** Encodes an address as struct sockaddr. Throws RangeError for what cannot be one. */
export function encodeAddress(address: SocketAddress): Uint8Array<ArrayBuffer> {
  if (address.kind === "unix") return encodeUnix(address.path);
  if (address.kind === "other") throw new RangeError("Cannot encode this kind of address");
  const v4 = parseIpv4(address.host);
  const v6 = v4 ? null : parseIpv6(address.host);
  if (!v4 && !v6) {
    throw new RangeError(
      `cannot use address "${address.host}": it is not a numeric IPv4 or IPv6 address`,
    );
  }
  const bytes = new Uint8Array(v4 ? 16 : 28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, v4 ? AF_INET : AF_INET6, true);
  view.setUint16(2, address.port);
  bytes.set(v4 ?? v6!, v4 ? 4 : 8);
  return bytes;
}

function encodeUnix(path: string): Uint8Array<ArrayBuffer> {
  const name = new TextEncoder().encode(path);
  if (name.length > UNIX_PATH_BYTES_MAX) {
    throw new RangeError(
      `cannot use socket path "${path}": it has ${name.length} bytes; at most ${UNIX_PATH_BYTES_MAX} are possible`,
    );
  }
  const abstract = path.startsWith("@");
  const bytes = new Uint8Array(2 + name.length + (abstract ? 0 : 1));
  new DataView(bytes.buffer).setUint16(0, AF_UNIX, true);
  bytes.set(name, 2);
  if (abstract) bytes[2] = 0;
  return bytes;
}

/** Decodes struct sockaddr. */
export function decodeAddress(bytes: Uint8Array): SocketAddress {
  if (bytes.length < 2) return { kind: "unix", path: "" };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const family = view.getUint16(0, true);
  if (family === AF_INET) {
    return { kind: "tcp", host: bytes.subarray(4, 8).join("."), port: view.getUint16(2) };
  }
  if (family === AF_INET6) {
    return { kind: "tcp", host: formatIpv6(bytes.subarray(8, 24)), port: view.getUint16(2) };
  }
  if (family !== AF_UNIX) return { kind: "other", family };
  const abstract = bytes.length > 2 && bytes[2] === 0;
  const name = bytes.subarray(abstract ? 3 : 2);
  const end = abstract ? name.length : (name.indexOf(0) + name.length + 1) % (name.length + 1);
  const path = new TextDecoder().decode(name.subarray(0, end));
  return { kind: "unix", path: abstract ? `@${path}` : path };
}

/** An address for people: `192.0.2.1:10809`, `[::1]:10809`, a path. */
export function addressText(address: SocketAddress): string {
  if (address.kind === "unix") return address.path;
  if (address.kind === "other") return `address family ${address.family}`;
  const { host, port } = address;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Opens a listening, non-blocking socket. An IPv6 one takes IPv6 only. Throws SystemError. */
export function listenOn(address: SocketAddress): number {
  const bytes = encodeAddress(address);
  const family = new DataView(bytes.buffer).getUint16(0, true);
  const where = `listen on ${addressText(address)}`;
  const fd = check(lateLibc.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), where);
  try {
    if (family !== AF_UNIX) setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (family === AF_INET6) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    check(lateLibc.bind(fd, bytes, bytes.length), where);
    check(lateLibc.listen(fd, LISTEN_BACKLOG), where);
    return fd;
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
}

/** Connects a blocking socket. Throws SystemError. */
export function connectTo(address: SocketAddress): number {
  const bytes = encodeAddress(address);
  const family = new DataView(bytes.buffer).getUint16(0, true);
  const where = `connect to ${addressText(address)}`;
  const fd = check(lateLibc.socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), where);
  if (lateLibc.connect(fd, bytes, bytes.length) === 0) return fd;
  const error = new SystemError(where, lastErrno());
  closeDescriptor(fd);
  throw error;
}

/**
 * Begins to connect a non-blocking socket, which becomes writable when that has ended; `connectionErrno`
 * says how. `errno` is not 0 where it has failed already. Throws SystemError where there can be no socket.
 */
export function beginConnect(address: SocketAddress): { fd: number; errno: number } {
  const bytes = encodeAddress(address);
  const family = new DataView(bytes.buffer).getUint16(0, true);
  const where = `connect to ${addressText(address)}`;
  const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = check(lateLibc.socket(family, type, 0), where);
  if (lateLibc.connect(fd, bytes, bytes.length) === 0) return { fd, errno: 0 };
  const errno = lastErrno();
  return { fd, errno: errno === EINPROGRESS ? 0 : errno };
}

/** How connecting has ended: 0 or an errno. */
export function connectionErrno(fd: number): number {
  return new Int32Array(getOption(fd, SOL_SOCKET, SO_ERROR, 4).buffer)[0]!;
}

/** Accepts a connection as a non-blocking socket; a negative errno when there is none. */
export function acceptFrom(fd: number): number {
  const accepted = lateLibc.accept4(fd, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC);
  return accepted < 0 ? -lastErrno() : accepted;
}

/** The address that a socket is bound to. */
export function localAddress(fd: number): SocketAddress {
  return queryAddress(lateLibc.getsockname, fd);
}

/** Who is at the other end: `tcp:192.0.2.1:4321`, `unix:pid=12,uid=0,gid=0`, `fd:3`. */
export function peerText(fd: number): string {
  try {
    const address = queryAddress(lateLibc.getpeername, fd);
    if (address.kind === "tcp") return `tcp:${addressText(address)}`;
    if (address.kind !== "unix") return `fd:${fd}`;
    const [pid, uid, gid] = new Uint32Array(getOption(fd, SOL_SOCKET, SO_PEERCRED, 12).buffer);
    return `unix:pid=${pid},uid=${uid},gid=${gid}`;
  } catch {
    return `fd:${fd}`;
  }
}

/** Whether a descriptor is a socket, and one that listens. */
export function socketRole(fd: number): "listening" | "connected" | "none" {
  try {
    return getOption(fd, SOL_SOCKET, SO_ACCEPTCONN, 4)[0] ? "listening" : "connected";
  } catch {
    return "none";
  }
}

/** Sends small packets at once and notices a dead peer, where the socket is TCP. */
export function tuneTcp(fd: number): void {
  // A unix socket refuses the first and ignores the second, which is as good.
  const on = new Uint8Array(new Int32Array([1]).buffer);
  lateLibc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, on, 4);
  lateLibc.setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, on, 4);
}

/** Asks for kernel buffers of `bytes` each way; beyond the system's maximum where that is allowed. */
export function setBufferBytes(fd: number, bytes: number): void {
  const value = new Uint8Array(new Int32Array([bytes]).buffer);
  for (const [force, plain] of [[SO_SNDBUFFORCE, SO_SNDBUF], [SO_RCVBUFFORCE, SO_RCVBUF]]) {
    if (lateLibc.setsockopt(fd, SOL_SOCKET, force!, value, 4) < 0) {
      lateLibc.setsockopt(fd, SOL_SOCKET, plain!, value, 4);
    }
  }
}

function queryAddress(
  query: typeof lateLibc.getsockname | typeof lateLibc.getpeername,
  fd: number,
): SocketAddress {
  const bytes = new Uint8Array(ADDRESS_BYTES_MAX);
  const length = new Uint32Array([ADDRESS_BYTES_MAX]);
  check(query(fd, bytes, new Uint8Array(length.buffer)), `query descriptor ${fd}`);
  return decodeAddress(bytes.subarray(0, length[0]));
}

function getOption(fd: number, level: number, option: number, bytes: number) {
  const value = new Uint8Array(bytes);
  const length = new Uint8Array(new Uint32Array([bytes]).buffer);
  check(lateLibc.getsockopt(fd, level, option, value, length), `query descriptor ${fd}`);
  return value;
}

function setOption(fd: number, level: number, option: number, value: number): void {
  const bytes = new Uint8Array(new Int32Array([value]).buffer);
  check(lateLibc.setsockopt(fd, level, option, bytes, 4), `set up descriptor ${fd}`);
}

/** Two connected unix stream sockets with kernel buffers of `bufferBytes` each way. Throws SystemError. */
export function socketPair(bufferBytes: number): [number, number] {
  const pair = new Int32Array(2);
  const bytes = new Uint8Array(pair.buffer);
  check(
    lateLibc.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, bytes),
    "make a pair of sockets",
  );
  for (const fd of pair) setBufferBytes(fd, bufferBytes);
  return [pair[0]!, pair[1]!];
}
