// SPDX-License-Identifier: MIT
// Filters and composing nodes as other people's clients see them, alone and on one another.

import assert from "node:assert/strict";
import { assertSameBytes, noise } from "../support/bytes.ts";
import { output, run, succeed } from "../support/command.ts";
import { TestDirectory } from "../support/directory.ts";
import { requires } from "../support/peers.ts";
import { sandblock } from "../support/program.ts";
import { TestServer } from "../support/server.ts";

const MEBIBYTE = 1024 * 1024;

async function contents(server: TestServer): Promise<Uint8Array> {
  const nbdcopy = requires("nbdcopy", "newer");
  return (await succeed([...nbdcopy, server.uri(), "-"])).bytes;
}

/** Runs Python with a libnbd handle `h` that is connected. */
async function python(server: TestServer, code: string): Promise<void> {
  const nbdsh = requires("nbdsh", "newer");
  await output([...nbdsh, "-u", server.uri(), "-c", "-"], { input: code });
}

Deno.test("offset: a client gets the part, and writes go to the right place", async () => {
  using directory = new TestDirectory();
  const bytes = noise(4 * MEBIBYTE, 1);
  const image = directory.write("disk.img", bytes);
  const args = ["--filter", "offset", "file", image, "offset=1M", "range=2M"];
  await using server = await TestServer.start(args);
  assertSameBytes(await contents(server), bytes.subarray(MEBIBYTE, 3 * MEBIBYTE));
  await python(server, `h.pwrite(b"x" * 5000, 4096); h.zero(65536, 131072); h.flush()`);
  bytes.fill(0x78, MEBIBYTE + 4096, MEBIBYTE + 9096);
  bytes.fill(0, MEBIBYTE + 131072, MEBIBYTE + 131072 + 65536);
  assertSameBytes(await Deno.readFile(image), bytes);
});

Deno.test("cow: clients change the disk, the file stays as it is", async () => {
  using directory = new TestDirectory();
  const before = noise(2 * MEBIBYTE, 2);
  const image = directory.write("disk.img", before);
  await using server = await TestServer.start(["--filter", "cow", "file", image]);
  await python(server, `h.pwrite(b"y" * 70000, 1012345); h.zero(1000000, 100); h.flush()`);
  const after = before.slice();
  after.fill(0x79, 1012345, 1012345 + 70000);
  after.fill(0, 100, 100 + 1000000);
  assertSameBytes(await contents(server), after);
  assertSameBytes(await Deno.readFile(image), before);
});

Deno.test("mirror: two files stay the same under a client's load", async () => {
  using directory = new TestDirectory();
  const [a, b] = ["a.img", "b.img"].map((name) => directory.sparse(name, 4 * MEBIBYTE));
  const args = ["mirror", "[", "file", a!, "]", "[", "file", b!, "]"];
  await using server = await TestServer.start(args);
  await python(
    server,
    `
import random
random.seed(7)
model = bytearray(4 << 20)
for i in range(200):
    length = random.randrange(1, 60000)
    at = random.randrange(0, (4 << 20) - length)
    data = bytes([i & 255]) * length
    model[at:at + length] = data
    h.pwrite(data, at)
for i in range(64):
    assert h.pread(1 << 16, i << 16) == model[i << 16:(i + 1) << 16], i
h.trim(65536, 0)
h.flush()
`,
  );
  assertSameBytes(await Deno.readFile(a!), await Deno.readFile(b!));
});

Deno.test("delay: a pipelining client waits once, not once per request", async () => {
  const args = ["--filter", "delay", "memory", "1M", "rdelay=100ms"];
  await using server = await TestServer.start(args);
  await python(
    server,
    `
import nbd, time
start = time.monotonic()
buffers = [nbd.Buffer(4096) for i in range(32)]
cookies = [h.aio_pread(b, 4096 * i) for i, b in enumerate(buffers)]
while h.aio_in_flight() > 0:
    h.poll(-1)
elapsed = time.monotonic() - start
assert 0.1 <= elapsed < 2, elapsed
`,
  );
});

Deno.test("filters on one another: nbdcopy in, nbdcopy out", async () => {
  const nbdcopy = requires("nbdcopy", "newer");
  using directory = new TestDirectory();
  const bytes = noise(3 * MEBIBYTE, 5);
  const image = directory.write("source.img", bytes);
  const filters = ["stats", "cow", "offset", "delay"].flatMap((name) => ["--filter", name]);
  const args = [...filters, "memory", "4M", "offset=1M", "wdelay=1ms"];
  await using server = await TestServer.start(args);
  await succeed([...nbdcopy, image, server.uri()]);
  assertSameBytes(await contents(server), bytes);
});

Deno.test("a filter by itself, and a part that is not there, are refused with a sentence", async () => {
  const refusal = async (...args: string[]) => {
    const { code, stderr } = await run([...sandblock(), "serve", "-U", "-", ...args]);
    assert.equal(code, 1, stderr);
    return stderr;
  };
  assert.match(await refusal("cow"), /cannot serve the filter "cow" by itself: write --filter cow/);
  assert.match(
    await refusal("mirror", "[", "null", "1M", "]"),
    /above 1 device: it takes 2 to 16/,
  );
  const nbdinfo = requires("nbdinfo", "newer");
  await using server = await TestServer.start(["--filter", "offset", "null", "1M", "offset=2M"]);
  const { code, stderr } = await run([...nbdinfo, server.uri()]);
  assert.equal(code, 1);
  assert.match(stderr, /cannot skip 2097152 bytes: the device has 1048576/);
});
