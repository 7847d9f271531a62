// SPDX-License-Identifier: MIT
// Filters that keep data or time in front of a disk, as other people's clients see them.

import assert from "node:assert/strict";
import { assertSameBytes, noise } from "../support/bytes.ts";
import { output, succeed } from "../support/command.ts";
import { TestDirectory } from "../support/directory.ts";
import { requires } from "../support/peers.ts";
import { TestServer } from "../support/server.ts";

const MEBIBYTE = 1024 * 1024;

async function contents(server: TestServer): Promise<Uint8Array> {
  const nbdcopy = requires("nbdcopy", "newer");
  return (await succeed([...nbdcopy, server.uri(), "-"])).bytes;
}

/** Runs Python with a libnbd handle `h` that is connected. */
async function python(server: TestServer, code: string): Promise<void> {
  const nbdsh = requires("nbdsh", "newer");
  await output([...nbdsh, "--base-allocation", "-u", server.uri(), "-c", "-"], { input: code });
}

/** Random writes, zeroes and trims that a libnbd client makes and compares with a bytearray. */
const RANDOM_WORK = `
import random
random.seed(11)
size = h.get_size()
model = bytearray(h.pread(min(size, 1 << 25), 0))
for i in range(300):
    length = random.randrange(1, 100000)
    at = random.randrange(0, size - length)
    if i % 3 == 0:
        model[at:at + length] = bytes(length)
        h.zero(length, at)
    else:
        data = random.randbytes(length)
        model[at:at + length] = data
        h.pwrite(data, at)
    at = random.randrange(0, size - 65536)
    assert h.pread(65536, at) == model[at:at + 65536], i
h.flush()
for at in range(0, size, 1 << 20):
    n = min(1 << 20, size - at)
    assert h.pread(n, at) == model[at:at + n], at
`;

Deno.test("cow: a stop commits what clients have written, and nothing before does", async () => {
  using directory = new TestDirectory();
  const before = noise(4 * MEBIBYTE, 2);
  const image = directory.write("disk.img", before);
  const args = ["--filter", "cow", "file", image, "cow-commit=stop"];
  const server = await TestServer.start(args);
  let after: Uint8Array;
  {
    await using running = server;
    await python(running, RANDOM_WORK);
    after = await contents(running);
    assertSameBytes(await Deno.readFile(image), before);
  }
  assertSameBytes(await Deno.readFile(image), after);
  assert.match(server.log.text, /plugin "cow": committed \d+ bytes/);
});

Deno.test("cow: an overlay that is committed when it is full takes a whole disk", async () => {
  const nbdcopy = requires("nbdcopy", "newer");
  using directory = new TestDirectory();
  const bytes = noise(24 * MEBIBYTE, 3);
  const source = directory.write("source.img", bytes);
  const image = directory.sparse("disk.img", bytes.length);
  const args = ["--filter", "cow", "file", image, "cow-commit=full", "cow-max-size=4M"];
  {
    await using server = await TestServer.start(args);
    await succeed([...nbdcopy, "--requests=8", source, server.uri()]);
    assertSameBytes(await contents(server), bytes);
  }
  assertSameBytes(await Deno.readFile(image), bytes);
});

Deno.test("cow: clients see holes, data and what is below as extents", async () => {
  using directory = new TestDirectory();
  const image = directory.write("disk.img", noise(4 * MEBIBYTE, 4));
  await using server = await TestServer.start(["--filter", "cow", "file", image]);
  await python(
    server,
    `
h.trim(1 << 20, 1 << 20)
h.pwrite(b"x" * 4096, 1500 << 10)
found = []
def extents(context, offset, list, error):
    found.extend(list)
while sum(found[0::2]) < h.get_size():
    at = sum(found[0::2])
    h.block_status(h.get_size() - at, at, extents)
merged = []
for length, flags in zip(found[0::2], found[1::2]):
    if merged and merged[-1][1] == flags:
        merged[-1][0] += length
    else:
        merged.append([length, flags])
hole = (1500 << 10) - (1 << 20)
assert merged == [
    [1 << 20, 0], [hole, 3], [4096, 0], [(1 << 20) - hole - 4096, 3], [2 << 20, 0]], merged
`,
  );
});

Deno.test("cache: what clients flush is below, and the rest when the server stops", async () => {
  using directory = new TestDirectory();
  const image = directory.write("disk.img", noise(4 * MEBIBYTE, 5));
  const args = ["--filter", "cache", "file", image, "cache-max-size=1M", "cache-on-read=yes"];
  {
    await using server = await TestServer.start(args);
    await python(server, RANDOM_WORK);
    const flushed = await contents(server);
    assertSameBytes(await Deno.readFile(image), flushed);
  }
  {
    await using server = await TestServer.start([...args, "cache-write-delay=1h"]);
    await python(server, `h.pwrite(b"z" * 12345, 54321)`);
  }
  const after = await Deno.readFile(image);
  assertSameBytes(after.subarray(54321, 54321 + 12345), new Uint8Array(12345).fill(0x7a));
});

Deno.test("cache: a flush fails when what is below is full, and works when it is not", async () => {
  const args = ["--filter", "cache", "--filter", "cow", "null", "16M"];
  const parameters = ["cow-max-size=1M", "cache-write-delay=1h"];
  await using server = await TestServer.start([...args, ...parameters]);
  await python(
    server,
    `
import nbd
h.pwrite(b"a" * (1 << 20), 0)
h.flush()
h.pwrite(b"b" * 65536, 4 << 20)
try:
    h.flush()
    assert False, "the flush was answered"
except nbd.Error as error:
    assert error.errno == "ENOSPC", error
assert h.pread(65536, 4 << 20) == b"b" * 65536
h.trim(1 << 20, 0)
h.flush()
`,
  );
  assert.match(server.log.text, /cannot write back \d+ bytes at 4194304/);
});

/** fio's random reads and writes, each block checked by the sum that it carries. */
async function verify(server: TestServer, ...more: string[]): Promise<void> {
  using directory = new TestDirectory();
  const job = ["--name=test", "--ioengine=nbd", `--uri=${server.uri()}`, "--randseed=42"];
  const checks = ["--verify=crc32c", "--verify_fatal=1", "--verify_backlog=64"];
  await succeed([...requires("fio"), ...job, ...checks, ...more], { cwd: directory.path });
}

for (
  const [disk, wrapper, complaint] of [
    ["with room", [], null],
    // Nothing that the server writes may become longer than this.
    ["that is full", ["prlimit", "--fsize=3000000"], /"\/.*\/cache" cannot grow: EFBIG/],
  ] as const
) {
  Deno.test(`cache: fio verifies through a cache in a file on a disk ${disk}`, async () => {
    using directory = new TestDirectory();
    const file = directory.file("cache");
    const allow = ["--allow", `cache:write=${directory.path}`, `cache-file=${file}`];
    const options = ["cache-max-size=24M", "cache-on-read=yes", "cache-write-delay=50ms"];
    const args = ["--filter", "cache", "memory", "64M", ...allow, ...options];
    await using server = await TestServer.start(args, { wrapper: [...wrapper] });
    await verify(server, "--rw=randrw", "--bs=4k", "--size=24M", "--iodepth=32");
    const sizes = ["--bsrange=512-256k", "--bs_unaligned=0", "--size=32M", "--fsync=100"];
    await verify(server, "--rw=randwrite", ...sizes, "--iodepth=16");
    const { size } = await Deno.stat(file);
    assert.ok(size > 2_000_000 && size <= (complaint === null ? 24 * MEBIBYTE : 3_000_000));
    if (complaint === null) assert.doesNotMatch(server.log.text, /cannot|warning|error/);
    else assert.match(server.log.text, complaint);
  });
}

Deno.test("cache: qemu-img converts through a cache that is smaller than the disk", async () => {
  const qemu = requires("qemu-img", "newer");
  using directory = new TestDirectory();
  const bytes = noise(16 * MEBIBYTE, 6);
  const source = directory.write("source.img", bytes);
  const image = directory.sparse("disk.img", bytes.length);
  const args = ["--filter", "cache", "file", image, "cache-max-size=2M"];
  {
    await using server = await TestServer.start(args);
    const convert = ["convert", "-n", "-f", "raw", "-O", "raw", source, server.uri()];
    await succeed([...qemu, ...convert]);
    assertSameBytes(await contents(server), bytes);
  }
  assertSameBytes(await Deno.readFile(image), bytes);
});

Deno.test("readahead: a client that reads in a row does not wait for each read", async () => {
  const filters = ["readahead", "cache", "delay"].flatMap((name) => ["--filter", name]);
  const args = [...filters, "pattern", "8M", "rdelay=40ms", "readahead-window=1M"];
  await using server = await TestServer.start(args);
  await python(
    server,
    `
import struct, time
start = time.monotonic()
for at in range(0, 8 << 20, 65536):
    data = h.pread(65536, at)
    assert data[:8] == struct.pack(">Q", at) and data[-8:] == struct.pack(">Q", at + 65528), at
elapsed = time.monotonic() - start
assert elapsed < 3.5, f"{elapsed} s, 5.12 s without"
`,
  );
});

Deno.test("scan: what a client reads last is there when it comes to it", async () => {
  const filters = ["scan", "cache", "delay"].flatMap((name) => ["--filter", name]);
  const args = [...filters, "pattern", "8M", "rdelay=150ms"];
  await using server = await TestServer.start(args);
  await python(
    server,
    `
import time
time.sleep(1.5)
start = time.monotonic()
for at in range(8 << 20, 0, -(1 << 20)):
    h.pread(1 << 20, at - (1 << 20))
elapsed = time.monotonic() - start
assert elapsed < 0.8, f"{elapsed} s, 1.2 s without"
`,
  );
});

Deno.test("rate: nbdcopy takes as long as the rate says, and a file changes it", async () => {
  const nbdcopy = requires("nbdcopy", "newer");
  using directory = new TestDirectory();
  const source = directory.write("source.img", noise(2 * MEBIBYTE, 7));
  const rate = directory.write("rate", new TextEncoder().encode("16M\n"));
  const allow = ["--allow", `rate:read=${rate}`];
  const parameters = ["rate=16M", "burstiness=100ms", `rate-file=${rate}`];
  const args = ["--filter", "rate", ...allow, "memory", "4M", ...parameters];
  await using server = await TestServer.start(args);
  const seconds = async () => {
    const began = performance.now();
    await succeed([...nbdcopy, source, server.uri()]);
    return (performance.now() - began) / 1000;
  };
  // 2 MiB/s: one second, less what may go at once.
  const limited = await seconds();
  assert(limited > 0.75, `${limited} s`);
  await Deno.writeTextFile(rate, "16G");
  for (let i = 0; i < 20 && !/is now 17179869184/.test(server.log.text); i++) await seconds();
  const free = await seconds();
  assert(free < limited, `${free} s, not ${limited} s`);
  assertSameBytes((await contents(server)).subarray(0, 2 * MEBIBYTE), noise(2 * MEBIBYTE, 7));
});

Deno.test("retry: clients do not notice that every fourth request fails", async () => {
  using directory = new TestDirectory();
  const image = directory.write("disk.img", noise(4 * MEBIBYTE, 8));
  const filters = ["--filter", "retry", "--filter", "error"];
  const parameters = ["error-rate=25%", "retry-delay=1ms", "retries=20"];
  await using server = await TestServer.start([...filters, "file", image, ...parameters]);
  await python(server, RANDOM_WORK);
  assertSameBytes(await contents(server), await Deno.readFile(image));
  assert.match(server.log.text, /failed with EIO; trying again in 1 ms, 1 of 20/);
});
