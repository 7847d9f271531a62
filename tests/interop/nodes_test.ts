// SPDX-License-Identifier: MIT
// Nodes with several children as other people's clients see them.

import assert from "node:assert/strict";
import { compilePlugin } from "../../wasm-plugins/build.ts";
import { breakDevice, Fuse, FUSE_BYTES, fusedContents } from "../../wasm-plugins/test_nodes.ts";
import { assertSameBytes, noise } from "../support/bytes.ts";
import { output, run, succeed } from "../support/command.ts";
import { TestDirectory } from "../support/directory.ts";
import { requires } from "../support/peers.ts";
import { sandblock } from "../support/program.ts";
import { TestServer } from "../support/server.ts";

const MEBIBYTE = 1024 * 1024;

/** `[ PLUGIN ... ]` for each. */
function children(...lines: string[][]): string[] {
  return lines.flatMap((line) => ["[", ...line, "]"]);
}

async function contents(server: TestServer): Promise<Uint8Array> {
  return (await succeed([...requires("nbdcopy", "newer"), server.uri(), "-"])).bytes;
}

/** Runs Python with a libnbd handle `h` that is connected. */
async function python(server: TestServer, code: string): Promise<void> {
  await output([...requires("nbdsh"), "-u", server.uri(), "-c", "-"], { input: code });
}

/** Writes and reads at random, checked against a model of the disk. */
const RANDOM_WORK = `
import random
random.seed(3)
size = h.get_size()
model = bytearray(h.pread(size, 0)) if size <= 1 << 23 else None
for i in range(150):
    length = random.randrange(1, 150000)
    at = random.randrange(0, size - length)
    if i % 7 == 6:
        h.zero(length, at)
        model[at:at + length] = bytes(length)
    else:
        data = bytes([i & 255, i * 7 & 255, 3]) * (length // 3 + 1)
        model[at:at + length] = data[:length]
        h.pwrite(data[:length], at)
    at = random.randrange(0, size - length)
    assert h.pread(length, at) == model[at:at + length], i
h.flush()
`;

Deno.test("concat: odd sizes, and extents of all devices in one map", async () => {
  using directory = new TestDirectory();
  const parts = [noise(1_000_001, 1), noise(77, 2), noise(2_345_678, 3)];
  const paths = parts.map((bytes, i) => directory.write(`${i}.img`, bytes));
  const files = paths.map((path) => ["file", path]);
  await using server = await TestServer.start(["concat", ...children(...files)]);
  assertSameBytes(await contents(server), Uint8Array.from(parts.flatMap((part) => [...part])));
  await python(server, RANDOM_WORK);
  const sizes = paths.map((path) => Deno.statSync(path).size);
  assert.deepEqual(sizes, parts.map(({ length }) => length));

  const memories = children(["memory", "1M"], ["memory", "1M"], ["memory", "1M"]);
  await using sparse = await TestServer.start(["concat", ...memories]);
  await python(sparse, `h.pwrite(bytes(1 << 20), 1 << 20)`);
  const nbdinfo = requires("nbdinfo", "newer");
  const map = JSON.parse(await output([...nbdinfo, "--map", "--json", sparse.uri()]));
  assert.deepEqual(
    map.map(({ offset, length, type }: Record<string, number>) => [offset, length, type]),
    [
      [0, MEBIBYTE, 3],
      [MEBIBYTE, MEBIBYTE, 0],
      [2 * MEBIBYTE, MEBIBYTE, 3],
    ],
  );
});

Deno.test("stripe: qemu-img and fio find what they have written", async () => {
  using directory = new TestDirectory();
  const paths = [0, 1, 2].map((i) => directory.sparse(`${i}.img`, 4 * MEBIBYTE));
  const files = paths.map((path) => ["file", path]);
  const source = directory.write("source.img", noise(12 * MEBIBYTE, 4));
  await using server = await TestServer.start(["stripe", "chunk=64K", ...children(...files)]);
  const qemu = requires("qemu-img");
  await succeed([...qemu, "convert", "-n", "-f", "raw", "-O", "raw", source, server.uri()]);
  await succeed([...qemu, "compare", "-f", "raw", "-F", "raw", source, server.uri()]);
  // Chunk 4 of the disk is chunk 1 of the second device.
  const expected = noise(12 * MEBIBYTE, 4).subarray(4 * 65536, 5 * 65536);
  assertSameBytes(Deno.readFileSync(paths[1]!).subarray(65536, 131072), expected);
  await succeed([
    ...requires("fio"),
    "--name=verify",
    "--ioengine=nbd",
    `--uri=${server.uri()}`,
    "--rw=randwrite",
    "--bsrange=4k-256k",
    "--iodepth=16",
    "--size=8M",
    "--verify=crc32c",
    "--verify_state_save=0",
  ]);
});

/** Two files with a test-fuse above each, and the arguments for a mirror of them. */
async function breakable(directory: TestDirectory): Promise<{ paths: string[]; args: string[] }> {
  const fuse = directory.write("fuse.wasm", await compilePlugin("lib/test-fuse"));
  const size = 4 * MEBIBYTE + FUSE_BYTES;
  const paths = ["a.img", "b.img"].map((name) => directory.sparse(name, size));
  return { paths, args: children(...paths.map((path) => [fuse, "[", "file", path, "]"])) };
}

Deno.test("mirror: a client does not see a device fail and come back", async () => {
  using directory = new TestDirectory();
  const { paths, args } = await breakable(directory);
  await using server = await TestServer.start(["-v", "mirror", "rejoin=100ms", ...args]);
  await python(server, RANDOM_WORK);
  breakDevice(paths[0]!, Fuse.All, 5);
  await python(server, RANDOM_WORK);
  await server.log.match(/device 0 is left out from now on: a change failed with EIO/);
  breakDevice(paths[0]!, 0);
  await server.log.match(/device 0 is in sync/);
  await python(server, RANDOM_WORK);
  assertSameBytes(fusedContents(paths[0]!), fusedContents(paths[1]!));
});

Deno.test("mirror: a new device is filled in with no client there, and under load", async () => {
  using directory = new TestDirectory();
  const bytes = noise(8 * MEBIBYTE, 9);
  const good = directory.write("good.img", bytes);
  const fresh = directory.sparse("new.img", 8 * MEBIBYTE);
  const files = children(["file", good], ["file", fresh]);
  await using alone = await TestServer.start(["-v", "mirror", "resync=1", ...files]);
  await alone.log.match(/resync of device 1: \d+%, \d+ bytes left/);
  await alone.log.match(/device 1 is in sync/);
  assertSameBytes(await Deno.readFile(fresh), bytes);

  const third = directory.sparse("third.img", 8 * MEBIBYTE);
  const more = children(["file", good], ["file", third]);
  await using busy = await TestServer.start([
    "-v",
    "mirror",
    "resync=1",
    "resync-rate=16M",
    ...more,
  ]);
  await python(busy, RANDOM_WORK);
  await busy.log.match(/device 1 is in sync/);
  assertSameBytes(await Deno.readFile(third), await Deno.readFile(good));
});

Deno.test("concat and stripe: what a broken device holds fails, the rest goes on", async () => {
  for (const name of ["concat", "stripe"]) {
    using directory = new TestDirectory();
    const { paths, args } = await breakable(directory);
    const chunk = name === "stripe" ? ["chunk=64K"] : [];
    await using server = await TestServer.start([name, ...chunk, ...args]);
    await python(server, RANDOM_WORK);
    breakDevice(paths[1]!, Fuse.All, 28);
    // The first 64 KiB are on the first device in both; the last ones on the second.
    await python(
      server,
      `
import errno
end = h.get_size() - 65536
h.pwrite(b"x" * 65536, 0)
assert h.pread(65536, 0) == b"x" * 65536
for work in [lambda: h.pread(4096, end), lambda: h.pwrite(b"y" * 4096, end), lambda: h.flush(),
             lambda: h.zero(h.get_size(), 0)]:
    try:
        work()
        assert False, "it succeeded"
    except nbd.Error as error:
        assert error.errnum == errno.ENOSPC, error
assert h.pread(65536, 0)[:1] in (b"x", b"\\0")
`,
    );
    breakDevice(paths[1]!, 0);
    await python(server, RANDOM_WORK);
  }
});

Deno.test("mirrors below a stripe: one device of each may go", async () => {
  using directory = new TestDirectory();
  const first = await breakable(directory);
  const memory = ["mirror", ...children(["memory", "4M"], ["memory", "4M"])];
  const args = ["stripe", "chunk=64K", ...children(["mirror", ...first.args], memory)];
  await using server = await TestServer.start(args);
  await python(server, RANDOM_WORK);
  breakDevice(first.paths[1]!, Fuse.All);
  await python(server, RANDOM_WORK);
});

Deno.test("nodes that do not fit together are refused with a sentence", async () => {
  const refusal = async (...args: string[]) => {
    const { code, stderr } = await run([...sandblock(), "serve", "-U", "-", ...args]);
    assert.equal(code, 1, stderr);
    return stderr;
  };
  const two = children(["memory", "1M"], ["memory", "1M"]);
  assert.match(
    await refusal("stripe", "chunk=5000", ...two),
    /chunks of 5000 bytes: that is no power of two/,
  );
  assert.match(
    await refusal("mirror", "resync=2", ...two),
    /cannot resync device 2: the devices are 0 to 1/,
  );
  assert.match(await refusal("mirror", "read=random", ...two), /least-pending/);
  assert.match(await refusal("concat"), /concat/);
});
