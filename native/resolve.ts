// SPDX-License-Identifier: MIT
// Host names to numeric addresses with getaddrinfo(3), so that /etc/hosts, DNS and the rest of
// nsswitch.conf count as they do for every other program.

import { decodeAddress } from "./socket.ts";
import { lateFunctions } from "./late.ts";

const AF_UNSPEC = 0;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;

/** struct addrinfo on 64-bit Linux: field offsets in bytes. */
const ADDRINFO_BYTES = 48;
const AI_FAMILY = 4;
const AI_SOCKTYPE = 8;
const AI_ADDRLEN = 16;
const AI_ADDR = 24;
const AI_NEXT = 40;

const symbols = lateFunctions({
  getaddrinfo: { parameters: ["buffer", "pointer", "buffer", "buffer"], result: "i32" },
  freeaddrinfo: { parameters: ["pointer"], result: "void" },
  gai_strerror: { parameters: ["i32"], result: "pointer" },
});

/**
 * The numeric addresses of a host name, in the order of preference that the system has. Blocks
 * while it asks. Throws Error with what the resolver says.
 */
export function resolveHost(name: string, family: "any" | "ipv4" | "ipv6"): string[] {
  const hints = new Uint8Array(ADDRINFO_BYTES);
  const hintsView = new DataView(hints.buffer);
  const wanted = family === "any" ? AF_UNSPEC : family === "ipv4" ? AF_INET : AF_INET6;
  hintsView.setInt32(AI_FAMILY, wanted, true);
  hintsView.setInt32(AI_SOCKTYPE, SOCK_STREAM, true);
  const result = new BigUint64Array(1);
  const node = new TextEncoder().encode(`${name}\0`);
  const status = symbols.getaddrinfo(node, null, hints, new Uint8Array(result.buffer));
  if (status !== 0) {
    const reason = Deno.UnsafePointerView.getCString(symbols.gai_strerror(status)!);
    throw new Error(`cannot look up host "${name}": ${reason}`);
  }
  const first = Deno.UnsafePointer.create(result[0]!);
  try {
    return [...new Set(addresses(first))];
  } finally {
    symbols.freeaddrinfo(first);
  }
}

function* addresses(first: Deno.PointerValue): Generator<string> {
  for (let entry = first; entry !== null;) {
    const view = new Deno.UnsafePointerView(entry);
    const bytes = view.getUint32(AI_ADDRLEN);
    const address = new Uint8Array(bytes);
    new Deno.UnsafePointerView(view.getPointer(AI_ADDR)!).copyInto(address);
    const decoded = decodeAddress(address);
    if (decoded.kind === "tcp") yield decoded.host;
    entry = view.getPointer(AI_NEXT);
  }
}
