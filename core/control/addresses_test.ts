// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { closeDescriptor } from "../../native/descriptor.ts";
import { localAddress } from "../../native/socket.ts";
import { listenAddresses, type ListenHost } from "./addresses.ts";

const LOOPBACK: ListenHost = { name: "127.0.0.1", family: "any" };
/** Reserved for documentation (RFC 3849, RFC 5737), so no machine has them. */
const NOT_OURS_6: ListenHost = { name: "2001:db8::1", family: "ipv6", optional: true };
const NOT_OURS_4: ListenHost = { name: "192.0.2.1", family: "ipv4" };

const unexpected = (host: string) => assert.fail(`${host} was left out`);

Deno.test("a numeric address with a port is taken as it is", async () => {
  assert.deepEqual(await listenAddresses([LOOPBACK, NOT_OURS_4], 99, unexpected), [
    { kind: "tcp", host: "127.0.0.1", port: 99 },
    { kind: "tcp", host: "192.0.2.1", port: 99 },
  ]);
});

Deno.test("a name becomes its addresses", async () => {
  const found = await listenAddresses([{ name: "localhost", family: "ipv4" }], 99, unexpected);
  assert.deepEqual(found, [{ kind: "tcp", host: "127.0.0.1", port: 99 }]);
});

Deno.test("an optional address that the system does not have is left out", async () => {
  const skipped: string[] = [];
  const found = await listenAddresses([NOT_OURS_6, LOOPBACK], 99, (host) => skipped.push(host));
  assert.deepEqual(skipped, ["2001:db8::1"]);
  assert.equal(found.length, 1);
});

Deno.test("with port 0 all addresses get the same port", async () => {
  const hosts: ListenHost[] = [LOOPBACK, { name: "127.0.0.2", family: "any" }];
  const found = await listenAddresses(hosts, 0, unexpected);
  const fds = found.map((address) => address.kind === "fd" ? address.fd : -1);
  const ports = fds.map((fd) => {
    const address = localAddress(fd);
    return address.kind === "tcp" ? address.port : 0;
  });
  assert.equal(ports.length, 2);
  assert.notEqual(ports[0], 0);
  assert.equal(ports[0], ports[1]);
  for (const fd of fds) closeDescriptor(fd);
});

Deno.test("an address that is not ours is an error that names it", async () => {
  await assert.rejects(
    listenAddresses([LOOPBACK, NOT_OURS_4], 0, unexpected),
    /cannot listen on 192\.0\.2\.1:\d+: Cannot assign requested address \(EADDRNOTAVAIL\)/,
  );
});

Deno.test("a name that nobody knows is an error that names it", async () => {
  await assert.rejects(
    listenAddresses([{ name: "no.such.host.invalid", family: "any" }], 99, unexpected),
    /cannot look up host "no\.such\.host\.invalid": /,
  );
});
