// SPDX-License-Identifier: MIT
// Filters that decide about clients, and those that compare, order and describe, as other people's clients
// meet them.

import assert from "node:assert/strict";
import { assertSameBytes, noise } from "../support/bytes.ts";
import { output, run, succeed } from "../support/command.ts";
import { TestDirectory } from "../support/directory.ts";
import { requires } from "../support/peers.ts";
import { TestServer } from "../support/server.ts";

const MEBIBYTE = 1024 * 1024;

/** What nbdinfo writes on stderr when it is refused. */
async function refusal(uri: string, ...options: string[]): Promise<string> {
  const { code, stderr } = await run([...requires("nbdinfo", "newer"), ...options, uri]);
  assert.equal(code, 1, stderr);
  return stderr;
}

async function info(uri: string, ...options: string[]): Promise<string> {
  return (await succeed([...requires("nbdinfo", "newer"), ...options, uri])).stdout;
}

/** Runs Python with a libnbd handle `h` that is connected. */
async function python(server: TestServer, code: string): Promise<void> {
  await output([...requires("nbdsh"), "-u", server.uri(), "-c", "-"], { input: code });
}

Deno.test("ip: users are let in, or not, by what the kernel says of them", async () => {
  const uid = Deno.uid()!;
  const memory = ["--filter", "ip", "memory", "1M"];
  await using open = await TestServer.start([...memory, `allow=uid:${uid}`, "deny=all"]);
  assert.equal((await info(open.uri(), "--size")).trim(), `${MEBIBYTE}`);
  await using closed = await TestServer.start([...memory, `deny=anyunix`]);
  assert.match(await refusal(closed.uri()), /the filter ip does not let in unix:pid=\d+,uid=\d+/);
  assert.match(await refusal(closed.uri(), "--list"), /replied with error to list request/);
});

Deno.test("ip: addresses are let in, or not", async () => {
  for (const [deny, good] of [["127.0.0.0/8", false], ["192.0.2.0/24,anyipv6", true]] as const) {
    const args = ["--listen", "nbd://127.0.0.1:0", "--filter", "ip", "memory", "1M"];
    await using server = await TestServer.start([...args, `deny=${deny}`], { ownListeners: true });
    const uri = server.uris.find((one) => one.includes("127.0.0.1"))!;
    if (good) await info(uri, "--size");
    else assert.match(await refusal(uri), /the filter ip does not let in tcp:127\.0\.0\.1:/);
  }
});

Deno.test("limit: the second client is refused, and let in when the first has gone", async () => {
  await using server = await TestServer.start(["--filter", "limit", "memory", "1M"]);
  await python(
    server,
    `
import nbd, os, time
other = nbd.NBD()
try:
    other.connect_uri("${server.uri()}")
    assert False
except nbd.Error as error:
    assert "policy" in str(error), error
h.shutdown()
for attempt in range(100):
    try:
        third = nbd.NBD()
        third.connect_uri("${server.uri()}")
        break
    except nbd.Error:
        time.sleep(0.05)
assert third.get_size() == 1048576
`,
  );
});

Deno.test("exportname: a client sees the exports that are given, and no others", async () => {
  using directory = new TestDirectory();
  Deno.mkdirSync(directory.file("images"));
  for (const name of ["a", "b", "c"]) {
    directory.write(`images/${name}`, noise(1000, name.charCodeAt(0)));
  }
  const args = [
    "--filter",
    "exportname",
    "file",
    `dir=${directory.file("images")}`,
    "default-export=b",
  ];
  const only = [
    "exportname-list=explicit",
    "exportname-strict=true",
    "exportname=a",
    "exportname=b",
  ];
  await using server = await TestServer.start([...args, ...only, "exportdesc=fixed:An image"]);
  const list = JSON.parse(await info(server.uri(), "--list", "--json")).exports;
  assert.deepEqual(
    list.map((one: Record<string, unknown>) => [one["export-name"], one["description"]]),
    [["a", "An image"], ["b", "An image"]],
  );
  const uri = (name: string) => server.uri().replace("///", `///${name}`);
  assert.match(await refusal(uri("c")), /there is no export "c"/);
  const { bytes } = await succeed([...requires("nbdcopy", "newer"), server.uri(), "-"]);
  assert.deepEqual(bytes, noise(1000, "b".charCodeAt(0)));
});

Deno.test("extentlist: nbdinfo maps a disk as the list says", async () => {
  using directory = new TestDirectory();
  const list = directory.write("list", new TextEncoder().encode("0 64K\n512K 64K zero\n# end\n"));
  const args = ["--read-only", "--filter", "extentlist", "pattern", "1M", `extentlist=${list}`];
  await using server = await TestServer.start(args);
  const map = JSON.parse(await info(server.uri(), "--map", "--json"));
  assert.deepEqual(
    map.map((one: Record<string, unknown>) => [one["offset"], one["length"], one["type"]]),
    [[0, 65536, 0], [65536, 458752, 3], [524288, 65536, 2], [589824, 458752, 3]],
  );
});

Deno.test("checkwrite: nbdcopy from a disk to itself is right", async () => {
  const nbdcopy = requires("nbdcopy", "newer");
  await using server = await TestServer.start([
    "--filter",
    "checkwrite",
    "sparse-random",
    "8M",
    "percent=50",
    "runlength=64K",
  ]);
  await succeed([...nbdcopy, server.uri(), server.uri()]);
  await python(
    server,
    `
import errno
h.pwrite(h.pread(100000, 777), 777)
for write in [lambda: h.pwrite(bytes(i & 255 for i in range(8 << 20)), 0), lambda: h.zero(8 << 20, 0)]:
    try:
        write()
        assert False
    except nbd.Error as error:
        assert error.errnum == errno.EIO, error
`,
  );
});

Deno.test("noparallel: answers come in the order of the requests", async () => {
  const args = ["--filter", "noparallel", "--filter", "delay", "memory", "1M", "rdelay=2ms"];
  await using server = await TestServer.start(args);
  await python(
    server,
    `
done = []
buffers = [nbd.Buffer(512) for i in range(40)]
for i, buffer in enumerate(buffers):
    h.aio_pread(buffer, 512 * i, lambda error, i=i: done.append(i) or 1)
while len(done) < 40:
    h.poll(-1)
assert done == list(range(40)), done
`,
  );
});

for (const type of ["gpt", "mbr"]) {
  Deno.test(`partition: every partition of nbdkit's tables is the right one (${type})`, async () => {
    const nbdcopy = requires("nbdcopy", "newer");
    using directory = new TestDirectory();
    // Six partitions of an MBR are three primary ones and logical ones from 5 on.
    const parts = Array.from({ length: 6 }, (_, i) => noise((i + 1) * 51_200, i));
    const files = parts.map((bytes, i) => directory.write(`part${i}`, bytes));
    const image = directory.file("disk.img");
    const making = [
      ...requires("nbdkit"),
      "-U",
      "-",
      "partitioning",
      ...files,
      `partition-type=${type}`,
    ];
    await succeed([...making, "--run", `${nbdcopy.join(" ")} "$uri" '${image}'`]);
    for (const [i, bytes] of parts.entries()) {
      const number = type === "mbr" && i >= 3 ? i + 2 : i + 1;
      const args = ["--filter", "partition", "file", image, `partition=${number}`];
      await using server = await TestServer.start(args);
      const served = (await succeed([...nbdcopy, server.uri(), "-"])).bytes;
      // Partitions are padded to whole sectors.
      assertSameBytes(served.subarray(0, bytes.length), bytes);
      assert(served.length - bytes.length < 512);
    }
    await using server = await TestServer.start([
      "--filter",
      "partition",
      "file",
      image,
      "partition=9",
    ]);
    assert.match(await refusal(server.uri()), /partition 9: there is no such partition/);
    await server.log.match(/warning: .*partition 9: there is no such partition/);
  });
}

Deno.test("blocksize: a client writes bytes to a file that only takes blocks of 4 KiB", async () => {
  using directory = new TestDirectory();
  const bytes = noise(MEBIBYTE, 4);
  const image = directory.write("disk.img", bytes);
  const filters = ["blocksize", "blocksize-policy"].flatMap((name) => ["--filter", name]);
  const sizes = ["minblock=4K", "maxdata=64K", "blocksize-minimum=4K", "blocksize-maximum=64K"];
  await using server = await TestServer.start([...filters, "file", image, ...sizes]);
  await python(
    server,
    `
import random
random.seed(3)
model = bytearray(h.pread(1 << 20, 0))
assert h.get_block_size(nbd.SIZE_MINIMUM) == 1
buffers = []
for i in range(300):
    at, data = 10 + i * 777, bytes([i & 255]) * 700
    model[at:at + 700] = data
    buffers.append(h.aio_pwrite(nbd.Buffer.from_bytearray(bytearray(data)), at))
while h.aio_in_flight() > 0:
    h.poll(-1)
h.zero(300001, 500000)
model[500000:800001] = bytes(300001)
assert h.pread(1 << 20, 0) == model
assert h.pread(12345, 54321) == model[54321:54321 + 12345]
h.flush()
open("${image}.model", "wb").write(model)
`,
  );
  assertSameBytes(await Deno.readFile(image), await Deno.readFile(`${image}.model`));
});

Deno.test("log: what nbdcopy asks for is in the server's log, or in a file", async () => {
  const nbdcopy = requires("nbdcopy", "newer");
  using directory = new TestDirectory();
  const path = directory.file("disk.log");
  const folder = path.slice(0, path.lastIndexOf("/"));
  const memory = ["--filter", "log", "memory", "1M"];
  for (const more of [[], ["--allow", `log:write=${folder}`, `logfile=${path}`]]) {
    const server = await TestServer.start([...memory, ...more]);
    await succeed([...nbdcopy, "--request-size=65536", server.uri(), directory.file("copy")]);
    await python(server, `h.pwrite(b"x" * 512, 1024, nbd.CMD_FLAG_FUA)`);
    const log = server.log;
    await server[Symbol.asyncDispose]();
    const text = more.length > 0 ? await Deno.readTextFile(path) : log.text;
    assert.match(
      text,
      /connection=\d+ Open export="" readonly=0 peer="unix:pid=\d+,uid=\d+,gid=\d+"\n/,
    );
    assert.match(text, /connection=\d+ Write id=1 offset=0x400 count=0x200 fua=1 \.\.\.\n/);
    assert.match(text, /connection=\d+ \.\.\.Write id=1 return=0 time=0\.\d{6}\n/);
    const count = (pattern: RegExp) => [...text.matchAll(pattern)].length;
    const asked = count(/ (?:Read|Write|Extents) id=/g);
    assert(asked > 1);
    assert.equal(count(/ \.\.\.(?:Read|Write|Extents) id=/g), asked);
  }
});

Deno.test("partition: who waits for the table to be read holds up nobody else", async () => {
  using directory = new TestDirectory();
  const disk = new Uint8Array(MEBIBYTE);
  disk.set([0, 0, 0, 0, 0x83, 0, 0, 0, 8, 0, 0, 0, 0, 4, 0, 0], 446);
  disk.set([0x55, 0xaa], 510);
  const image = directory.write("disk.img", disk);
  const filters = ["log", "partition", "delay"].flatMap((name) => ["--filter", name]);
  const args = [...filters, "file", image, "partition=1", "rdelay=1s"];
  await using server = await TestServer.start(args);
  await python(
    server,
    `
import nbd, time
start = time.monotonic()
other = nbd.NBD()
other.aio_connect_uri(${JSON.stringify(server.uri())})
longest = writes = 0
while other.aio_is_connecting():
    before = time.monotonic()
    h.pwrite(b"x" * 4096, 4096)
    longest = max(longest, time.monotonic() - before)
    writes += 1
    other.poll(0)
took = time.monotonic() - start
assert other.aio_is_ready(), "connected"
assert other.get_size() == 512 * 1024
assert took >= 0.9, took
assert longest < 0.5 and writes > 10, (longest, writes)
other.shutdown()
gone = nbd.NBD()
gone.aio_connect_uri(${JSON.stringify(server.uri())})
while gone.aio_is_connecting() and time.monotonic() - start < took + 0.3:
    gone.poll(50)
del gone
h.flush()
`,
  );
});
