// SPDX-License-Identifier: MIT
// Sockets and pipes that the server is given by the program that starts it.

import assert from "node:assert/strict";
import { assertSameBytes, noise } from "../support/bytes.ts";
import { output } from "../support/command.ts";
import { TestDirectory } from "../support/directory.ts";
import { requires } from "../support/peers.ts";
import { sandblock } from "../support/program.ts";
import { TestServer, unixUri } from "../support/server.ts";
import { type Stream, WireClient } from "../support/wire_client.ts";

const own = { ownListeners: true };

async function size(uri: string): Promise<string> {
  return (await output([...requires("nbdinfo"), "--size", uri])).trim();
}

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
