// SPDX-License-Identifier: MIT
// Every way in which a client can come to the server.

import assert from "node:assert/strict";
import { Command } from "../../core/block/request.ts";
import { Replies } from "../../core/nbd/wire.ts";
import { assertSameBytes, noise } from "../support/bytes.ts";
import { output } from "../support/command.ts";
import { TestDirectory } from "../support/directory.ts";
import { GENERATIONS, requires } from "../support/peers.ts";
import { sandblock } from "../support/program.ts";
import { TestServer, unixUri } from "../support/server.ts";
import { type Stream, WireClient } from "../support/wire_client.ts";

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

/** Python that becomes the server, with sockets at the descriptors 3 and 4. */
const ACTIVATOR = `
import fcntl, os, socket, sys
sockets = []
for path in sys.argv[1:3]:
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    s.listen(5)
    sockets.append(fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, 100))
for index, fd in enumerate(sockets):
    os.dup2(fd, 3 + index)
    os.close(fd)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="a:b")
os.execv(sys.argv[3], sys.argv[3:])
`;

Deno.test("LISTEN_FDS: all sockets that were handed over are served", async () => {
  using directory = new TestDirectory();
  const paths = [directory.file("one"), directory.file("two")];
  const wrapper = [...requires("python3"), "-c", ACTIVATOR, ...paths];
  await using _ = await TestServer.start(["memory", "3M"], { ...own, wrapper });
  for (const path of paths) assert.equal(await size(unixUri(path)), "3145728");
});

Deno.test("LISTEN_FDS for another process is not meant for this one", async () => {
  using directory = new TestDirectory();
  const env = { LISTEN_PID: "1", LISTEN_FDS: "1" };
  const path = directory.file("socket");
  await using server = await TestServer.start(["-U", path, "memory", "3M"], { ...own, env });
  assert.equal(await size(server.uris[0]!), "3145728");
  // Nor for the programs that this one starts.
  const command = [...sandblock(), "serve", "memory", "1M", "--run", "env"];
  assert.doesNotMatch(await output(command, { env }), /LISTEN_/);
});

/** A child process that speaks NBD on its standard input and output. */
class PipeStream implements Stream {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  #rest = new Uint8Array(0);

  constructor(args: string[]) {
    const [program, ...first] = sandblock();
    this.#child = new Deno.Command(program!, {
      args: [...first, ...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#reader = this.#child.stdout.getReader();
  }

  async read(buffer: Uint8Array<ArrayBuffer>): Promise<number | null> {
    if (this.#rest.length === 0) {
      const { value, done } = await this.#reader.read();
      if (done) return null;
      this.#rest = value;
    }
    const part = this.#rest.subarray(0, buffer.length);
    buffer.set(part);
    this.#rest = this.#rest.subarray(part.length);
    return part.length;
  }

  async write(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    await this.#writer.write(bytes);
    return bytes.length;
  }

  async closeWrite(): Promise<void> {
    await this.#writer.close();
  }

  close(): void {
    this.#writer.close().catch(() => {});
    this.#reader.cancel().catch(() => {});
  }

  get status(): Promise<Deno.CommandStatus> {
    return this.#child.status;
  }
}

Deno.test("-s serves one client over pipes and ends with it", async () => {
  const stream = new PipeStream(["serve", "-s", "memory", "16M"]);
  await using client = new WireClient(stream);
  await client.negotiate();
  const data = noise(8 * 1024 * 1024);
  assert.equal(await client.write(4097, data), 0);
  assertSameBytes(await client.read(4097, data.length), data);
  await client.leave();
  assert.equal((await stream.status).code, 0);
});

Deno.test("-s ends with status 0 when the client closes the pipe", async () => {
  const stream = new PipeStream(["serve", "-s", "memory", "1M"]);
  await using client = new WireClient(stream);
  await client.negotiate();
  await client.closeWrite();
  assert.equal((await stream.status).code, 0);
});

/** Python that has a client without handshake talk to the server over a socket pair. */
const TRANSMITTER = `
import os, socket, struct, subprocess, sys
ours, theirs = socket.socketpair()
server = subprocess.Popen(
    [*sys.argv[2:], f"--fd={theirs.fileno()}"], pass_fds=[theirs.fileno()])
theirs.close()
read_only = sys.argv[1] == "read-only"
def take(length):
    data = b""
    while len(data) < length:
        part = ours.recv(length - len(data))
        assert part, "closed"
        data += part
    return data
def request(command, cookie, offset, length, payload=b"", flags=0):
    ours.sendall(struct.pack(">IHHQQI", 0x25609513, flags, command, cookie, offset, length) + payload)
def answer(errno, cookie, data=b""):
    expected = struct.pack(">IIQ", 0x67446698, errno, cookie) + data
    actual = take(len(expected))
    assert actual == expected, actual
request(1, 11, 4096, 5, b"hello")
answer(1 if read_only else 0, 11)
request(0, 12, 4095, 7)
answer(0, 12, bytes(7) if read_only else b"\\0hello\\0")
# TRIM was not agreed on.
request(4, 13, 0, 4096)
answer(1 if read_only else 22, 13)
request(2, 14, 0, 0)
assert ours.recv(1) == b""
assert server.wait(10) == 0
`;

Deno.test("--fd serves a client whose handshake is over, with the flags that it was told", async () => {
  for (const [kind, flags] of [["writable", "flush,write-zeroes"], ["read-only", "read-only"]]) {
    const serve = ["serve", "--fd-size=1M", `--fd-flags=${flags}`, "memory", "1M"];
    await output([...requires("python3"), "-c", TRANSMITTER, kind!, ...sandblock(), ...serve]);
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
