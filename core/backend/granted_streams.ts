// SPDX-License-Identifier: MIT
// Connections to the machines that a plugin was granted, by TCP. Names are looked up once, at the start;
// nothing waits afterwards.

import { BlockError, Errno, errnoName } from "../block/errno.ts";
import type { NetGrant } from "../plugin/grants.ts";
import type { GrantedStream, StreamSink, StreamStore } from "../plugin/streams.ts";
import { quoted } from "../plugin/text.ts";
import { closeDescriptor } from "../../native/descriptor.ts";
import { Epoll, Poll } from "../../native/epoll.ts";
import { lastErrno } from "../../native/errno.ts";
import { parseIpv4, parseIpv6 } from "../../native/ip.ts";
import { libc } from "../../native/libc.ts";
import { resolveHost } from "../../native/resolve.ts";
import { beginConnect, connectionErrno, tuneTcp } from "../../native/socket.ts";

/** Streams that have something to tell, at a time. */
const EVENTS_MAX = 64;
const HIGH = 4294967296;

const iovec = new Uint32Array(4);
const iovecBytes = new Uint8Array(iovec.buffer);

function setIovec(address: number, length: number): void {
  iovec[0] = address;
  iovec[1] = address / HIGH;
  iovec[2] = length;
}

/** See the top of this file. */
export class GrantedStreams implements StreamStore {
  readonly completionFds: readonly number[];
  readonly #epoll = new Epoll(EVENTS_MAX);
  /** Numeric addresses of each, by how it was granted. */
  readonly #hosts = new Map<string, { host: string; port: number }[]>();
  readonly #streams = new Map<number, TcpStream>();

  /** Looks all names up. Throws Error for one that nobody knows. */
  constructor(grants: readonly NetGrant[]) {
    this.completionFds = [this.#epoll.fd];
    try {
      for (const { host, port } of grants) {
        const isNumeric = parseIpv4(host) !== null || parseIpv6(host) !== null;
        const hosts = isNumeric ? [host] : resolveHost(host, "any");
        const text = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
        this.#hosts.set(text, hosts.map((one) => ({ host: one, port })));
      }
    } catch (error) {
      this.#epoll.close();
      throw error;
    }
  }

  open(address: string, sink: StreamSink): GrantedStream {
    const hosts = this.#hosts.get(address);
    if (hosts === undefined) {
      throw new BlockError(
        Errno.EACCES,
        `cannot connect to ${quoted(address)}: it was not allowed`,
      );
    }
    return new TcpStream(hosts, address, sink, this.#epoll, this.#streams);
  }

  reap(): void {
    if (this.#streams.size === 0) return;
    const count = this.#epoll.wait(0);
    const ready = Array.from({ length: count }, (_, i) => this.#epoll.descriptor(i));
    for (const fd of ready) this.#streams.get(fd)?.event();
  }

  close(): void {
    for (const stream of [...this.#streams.values()]) stream.close();
    this.#epoll.close();
  }
}

/** One of them. */
class TcpStream implements GrantedStream {
  readonly #addresses: { host: string; port: number }[];
  readonly #name: string;
  readonly #sink: StreamSink;
  readonly #epoll: Epoll;
  readonly #streams: Map<number, TcpStream>;
  #fd = -1;
  #isConnecting = true;
  /** Why connecting has failed before anything was waited for. */
  #failure = 0;
  #isWatched = false;

  constructor(
    addresses: readonly { host: string; port: number }[],
    name: string,
    sink: StreamSink,
    epoll: Epoll,
    streams: Map<number, TcpStream>,
  ) {
    this.#addresses = [...addresses];
    this.#name = name;
    this.#sink = sink;
    this.#epoll = epoll;
    this.#streams = streams;
    const errno = this.#connect();
    if (errno !== 0) {
      throw new BlockError(errno, `cannot connect to ${quoted(name)}: ${errnoName(errno)}`);
    }
  }

  receive(address: number, length: number): number {
    setIovec(address, length);
    const count = libc.readv(this.#fd, iovecBytes, 1);
    return count >= 0 ? count : -lastErrno();
  }

  send(address: number, length: number): number {
    setIovec(address, length);
    const count = libc.writev(this.#fd, iovecBytes, 1);
    return count >= 0 ? count : -lastErrno();
  }

  await(receive: boolean, send: boolean): void {
    this.#watch((receive ? Poll.In : 0) | (send ? Poll.Out : 0));
  }

  close(): void {
    if (this.#fd < 0) return;
    this.#watch(0);
    this.#streams.delete(this.#fd);
    closeDescriptor(this.#fd);
    this.#fd = -1;
  }

  /** The socket has something to say. */
  event(): void {
    if (!this.#isConnecting) {
      this.#watch(0);
      this.#sink.ready();
      return;
    }
    const errno = this.#failure || connectionErrno(this.#fd);
    if (errno === 0) {
      this.#isConnecting = false;
      this.#watch(0);
      tuneTcp(this.#fd);
      this.#sink.connected(0, "");
      return;
    }
    this.close();
    const last = this.#addresses.length > 0 ? this.#connect() : errno;
    if (last === 0) return;
    const fact = errnoName(last);
    this.#sink.connected(last, `cannot connect to ${quoted(this.#name)}: ${fact}`);
  }

  /** Tries the next address, whose end comes as an event: 0. An errno where there is no socket for any. */
  #connect(): number {
    let last: number = Errno.EADDRNOTAVAIL;
    for (let next = this.#addresses.shift(); next; next = this.#addresses.shift()) {
      try {
        const { fd, errno } = beginConnect({ kind: "tcp", ...next });
        this.#fd = fd;
        this.#failure = errno;
        this.#streams.set(fd, this);
        this.#watch(Poll.Out);
        return 0;
      } catch (error) {
        if (!(error instanceof BlockError)) throw error;
        last = error.errno;
      }
    }
    return last;
  }

  #watch(events: number): void {
    if (events === 0) {
      if (this.#isWatched) this.#epoll.remove(this.#fd);
    } else if (this.#isWatched) this.#epoll.modify(this.#fd, events);
    else this.#epoll.add(this.#fd, events);
    this.#isWatched = events !== 0;
  }
}
