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
