// SPDX-License-Identifier: MIT
// Every way in which a client can come to the server.

import assert from "node:assert/strict";
import { Command } from "../../core/block/request.ts";
import { Replies } from "../../core/nbd/wire.ts";
import { output } from "../support/command.ts";
import { TestDirectory } from "../support/directory.ts";
import { GENERATIONS, requires } from "../support/peers.ts";
import { TestServer, unixUri } from "../support/server.ts";
import { WireClient } from "../support/wire_client.ts";

const own = { ownListeners: true };

/** Throws on a machine without IPv6: what is not tested must not look as if it worked. */
function requireIpv6(): void {
  try {
    if (Deno.readTextFileSync("/proc/net/if_inet6").includes(" lo")) return;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  throw new Error("cannot test IPv6: this machine has no IPv6 address ::1");
}

async function size(uri: string): Promise<string> {
  return (await output([...requires("nbdinfo"), "--size", uri])).trim();
}

/** Whether a TCP connection can be made. */
async function connects(hostname: string, port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname, port })).close();
    return true;
  } catch {
    return false;
  }
}

function portOf(uri: string): number {
  return Number(new URL(uri.replace("nbd:", "http:")).port);
}

Deno.test("TCP over IPv4, at a port that the system chooses", async () => {
  await using server = await TestServer.start(["-i", "127.0.0.1", "-p", "0", "memory", "3M"], own);
  assert.match(server.uris.join(), /^nbd:\/\/127\.0\.0\.1:\d+$/);
  assert.equal(await size(server.uris[0]!), "3145728");
});

Deno.test("TCP over IPv6, at a port that the system chooses", async () => {
  requireIpv6();
  await using server = await TestServer.start(["-i", "::1", "-p", "0", "memory", "3M"], own);
  assert.match(server.uris.join(), /^nbd:\/\/\[::1\]:\d+$/);
  assert.equal(await size(server.uris[0]!), "3145728");
  const qemuImg = requires("qemu-img");
  assert.match(await output([...qemuImg, "info", server.uris[0]!]), /3 MiB/);
});

Deno.test("TCP without an address listens on IPv4 and IPv6 at one port", async () => {
  requireIpv6();
  await using server = await TestServer.start(["-p", "0", "memory", "3M"], own);
  const port = portOf(server.uris[0]!);
  for (const host of ["127.0.0.1", "[::1]"]) {
    assert.equal(await size(`nbd://${host}:${port}`), "3145728");
  }
});

Deno.test("-4 listens on IPv4 only and -6 on IPv6 only", async () => {
  requireIpv6();
  for (const [option, here, there] of [["-4", "127.0.0.1", "::1"], ["-6", "::1", "127.0.0.1"]]) {
    await using server = await TestServer.start([option!, "-p", "0", "memory", "3M"], own);
    const port = portOf(server.uris[0]!);
    assert.equal(await connects(here!, port), true);
    assert.equal(await connects(there!, port), false);
  }
});

Deno.test("a host name is looked up", async () => {
  await using server = await TestServer.start(["-i", "localhost", "-p", "0", "memory", "3M"], own);
  assert.equal(await size(`nbd://localhost:${portOf(server.uris[0]!)}`), "3145728");
});

Deno.test("a unix socket, by its path", async () => {
  using directory = new TestDirectory();
  const path = directory.file("my socket");
  await using server = await TestServer.start(["-U", path, "memory", "3M"], own);
  assert.deepEqual(server.uris, [`nbd+unix:///?socket=${path.replace(" ", "%20")}`]);
  for (const which of GENERATIONS) {
    assert.equal(
      await output([...requires("nbdinfo", which), "--size", server.uris[0]!]),
      "3145728\n",
    );
  }
});

Deno.test("a unix socket in the abstract namespace", async () => {
  const name = `sandblock-test-${crypto.randomUUID()}`;
  await using server = await TestServer.start(["-U", `@${name}`, "memory", "1M"], own);
  assert.deepEqual(server.uris, [`nbd+unix:///?socket=%00${name}`]);
  const nbdsh = requires("nbdsh");
  const code = `
import socket
s = socket.socket(socket.AF_UNIX)
s.connect(b"\\0${name}")
h.connect_socket(s.detach())
assert h.get_size() == 1048576
`;
  await output([...nbdsh, "-c", code]);
});

Deno.test("-U - makes a private socket, which is gone afterwards", async () => {
  await using server = await TestServer.start(["-U", "-", "memory", "3M"], own);
  const path = new URL(server.uris[0]!).searchParams.get("socket")!;
  const directory = path.slice(0, path.lastIndexOf("/"));
  assert.equal(Deno.statSync(directory).mode! & 0o077, 0);
  assert.equal(await size(server.uris[0]!), "3145728");
  await server.stop();
  assert.throws(() => Deno.statSync(directory), Deno.errors.NotFound);
});

Deno.test("listeners of all kinds at once lead to the same disk", async () => {
  requireIpv6();
  using directory = new TestDirectory();
  const args = [
    ...["--listen", "nbd://127.0.0.1:0", "--listen", "nbd://[::1]:0"],
    ...["-U", directory.file("one"), "--listen", unixUri(directory.file("two"))],
    ...["memory", "1M"],
  ];
  await using server = await TestServer.start(args, own);
  assert.equal(server.uris.length, 4);
  const nbdsh = requires("nbdsh");
  for (const [index, uri] of server.uris.entries()) {
    await output([...nbdsh, "-u", uri, "-c", `h.pwrite(bytes([${index + 1}]), ${index})`]);
  }
  for (const uri of server.uris) {
    await output([...nbdsh, "-u", uri, "-c", "assert h.pread(5, 0) == b'\\1\\2\\3\\4\\0'"]);
  }
});

Deno.test("a client whose replies are simple over TCP gets large reads whole", async () => {
  await using server = await TestServer.start(
    ["-i", "127.0.0.1", "-p", "0", "pattern", "64M"],
    own,
  );
  const port = portOf(server.uris[0]!);
  await using client = new WireClient(await Deno.connect({ hostname: "127.0.0.1", port }));
  await client.negotiate({ replies: Replies.Simple });
  const requests = Array.from({ length: 8 }, (_, i) => ({
    command: Command.Read,
    offset: BigInt(i) << 23n,
    length: 1n << 23n,
  }));
  for (const [index, answer] of (await client.requestAll(requests)).entries()) {
    const data = answer.data();
    const view = new DataView(data.buffer);
    assert.equal(view.getBigUint64(data.length - 8), BigInt((index + 1) * 2 ** 23 - 8));
  }
});
