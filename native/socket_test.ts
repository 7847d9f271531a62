// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { closeDescriptor } from "./descriptor.ts";
import { SystemError } from "./errno.ts";
import { formatIpv6, parseIpv4, parseIpv6 } from "./ip.ts";
import {
  acceptFrom,
  addressText,
  connectTo,
  decodeAddress,
  encodeAddress,
  listenOn,
  localAddress,
  peerText,
  socketRole,
} from "./socket.ts";

Deno.test("IPv4 text with leading zeros, missing parts or large parts is refused", () => {
  assert.deepEqual([...parseIpv4("192.0.2.255")!], [192, 0, 2, 255]);
  for (const bad of ["1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4.5", "", "a.b.c.d"]) {
    assert.equal(parseIpv4(bad), null, bad);
  }
});

Deno.test("IPv6 text survives a round trip in its shortest form", () => {
  for (const text of ["::", "::1", "fe80::1", "2001:db8::8:0:0:1", "1:2:3:4:5:6:7:8"]) {
    assert.equal(formatIpv6(parseIpv6(text)!), text);
  }
  assert.equal(formatIpv6(parseIpv6("::ffff:1.2.3.4")!), "::ffff:102:304");
  for (const bad of ["1:2:3", ":::", "1::2::3", "12345::", "1:2:3:4:5:6:7:8:9", "::1.2.3"]) {
    assert.equal(parseIpv6(bad), null, bad);
  }
});

Deno.test("socket addresses survive encoding and decoding", () => {
  for (
    const address of [
      { kind: "tcp", host: "127.0.0.1", port: 10809 },
      { kind: "tcp", host: "::1", port: 1 },
      { kind: "unix", path: "/tmp/a b" },
      { kind: "unix", path: "@abstract" },
    ] as const
  ) assert.deepEqual(decodeAddress(encodeAddress(address)), address);
  assert.throws(() => encodeAddress({ kind: "unix", path: "x".repeat(108) }), /at most 107/);
  assert.throws(() => encodeAddress({ kind: "tcp", host: "localhost", port: 1 }), /not a numeric/);
});

Deno.test("a TCP connection is accepted and both ends are named", () => {
  const listener = listenOn({ kind: "tcp", host: "127.0.0.1", port: 0 });
  const address = localAddress(listener);
  assert.equal(socketRole(listener), "listening");
  assert.ok(acceptFrom(listener) < 0);
  const client = connectTo(address);
  const server = acceptFrom(listener);
  assert.ok(server >= 0);
  assert.equal(socketRole(server), "connected");
  assert.equal(peerText(server), `tcp:${addressText(localAddress(client))}`);
  assert.equal(socketRole(1 << 20), "none");
  [listener, client, server].forEach(closeDescriptor);
});

Deno.test("a unix peer is known by its credentials and an address in use by its errno", () => {
  const address = { kind: "unix", path: `@sandblock-test-${Deno.pid}` } as const;
  const listener = listenOn(address);
  const client = connectTo(address);
  const server = acceptFrom(listener);
  assert.match(peerText(server), new RegExp(`^unix:pid=${Deno.pid},uid=\\d+,gid=\\d+$`));
  assert.throws(
    () => listenOn(address),
    (error) => error instanceof SystemError && error.code === "EADDRINUSE",
  );
  [listener, client, server].forEach(closeDescriptor);
});
