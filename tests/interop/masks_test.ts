// SPDX-License-Identifier: MIT
// Filters that take capabilities away or change them, as nbdinfo and libnbd see them.

import assert from "node:assert/strict";
import { assertSameBytes, noise } from "../support/bytes.ts";
import { output, succeed } from "../support/command.ts";
import { TestDirectory } from "../support/directory.ts";
import { requires } from "../support/peers.ts";
import { TestServer } from "../support/server.ts";

const MEBIBYTE = 1024 * 1024;
/** What nbdinfo says about an export, by key. */
type Facts = Record<string, unknown>;

async function facts(args: string[]): Promise<Facts> {
  const nbdinfo = requires("nbdinfo", "newer");
  await using server = await TestServer.start(args);
  const { stdout } = await succeed([...nbdinfo, "--json", server.uri()]);
  return JSON.parse(stdout).exports[0];
}

for (
  const [filter, parameters, missing] of [
    ["readonly", [], ["can_trim", "can_zero", "can_fua"]],
    ["nofua", [], ["can_fua"]],
    ["fua", ["fuamode=none"], ["can_fua"]],
    ["notrim", [], ["can_trim"]],
    ["nocache", [], ["can_cache"]],
    ["nozero", [], ["can_zero", "can_fast_zero"]],
    ["nozero", ["zeromode=plugin", "fastzeromode=none"], ["can_fast_zero"]],
    ["multi-conn", ["multi-conn-mode=disable"], ["can_multi_conn"]],
  ] as const
) {
  Deno.test(`${filter} ${parameters.join(" ")}: clients see what is missing, and nothing else`, async () => {
    using directory = new TestDirectory();
    const file = ["file", directory.sparse("disk.img", MEBIBYTE)];
    const before = await facts(file);
    const after = await facts(["--filter", filter, ...file, ...parameters]);
    for (const key of Object.keys(before).filter((one) => one.startsWith("can_"))) {
      const lost = missing.includes(key as never);
      if (lost) assert.equal(before[key], true, `${key} was there`);
      if (filter !== "readonly" || lost) assert.equal(after[key], !lost && before[key], key);
    }
    assert.equal(after["is_read_only"], filter === "readonly");
  });
}

Deno.test("noextents: nbdinfo maps a sparse file as data", async () => {
  const nbdinfo = requires("nbdinfo", "newer");
  using directory = new TestDirectory();
  const image = directory.sparse("disk.img", MEBIBYTE);
  await using server = await TestServer.start(["--filter", "noextents", "file", image]);
  const { stdout } = await succeed([...nbdinfo, "--map", "--json", server.uri()]);
  assert.deepEqual(
    JSON.parse(stdout).map((one: Facts) => [one["offset"], one["length"], one["type"]]),
    [[0, MEBIBYTE, 0]],
  );
});

async function python(server: TestServer, code: string): Promise<void> {
  const nbdsh = requires("nbdsh");
  await output([...nbdsh, "-u", server.uri(), "-c", "-"], { input: code });
}

Deno.test("truncate: a client sees the size, zeroes behind the end, and ENOSPC", async () => {
  using directory = new TestDirectory();
  const image = directory.write("disk.img", new Uint8Array(1000).fill(0x61));
  const args = ["--filter", "truncate", "file", image, "round-up=512", "truncate=1500"];
  await using server = await TestServer.start(args);
  await python(
    server,
    `
import errno
assert h.get_size() == 1536
assert h.pread(1536, 0) == b"a" * 1000 + bytes(536)
h.pwrite(bytes(536), 1000)
try:
    h.pwrite(b"x", 1535)
    assert False
except nbd.Error as error:
    assert error.errnum == errno.ENOSPC
h.zero(1536, 0)
`,
  );
  assert.deepEqual(await Deno.readFile(image), new Uint8Array(1000));
});

Deno.test("protect: a client may write the same again, and nothing else", async () => {
  using directory = new TestDirectory();
  const image = directory.write("disk.img", new Uint8Array(8192).fill(0x61));
  const args = ["--filter", "protect", "file", image, "protect=0-0x1ff", "protect=4K-"];
  await using server = await TestServer.start(args);
  await python(
    server,
    `
import errno
h.pwrite(b"a" * 512 + b"b" * 3584 + b"a" * 4096, 0)
for at in [0, 511, 4096, 8191]:
    try:
        h.pwrite(b"x", at)
        assert False
    except nbd.Error as error:
        assert error.errnum == errno.EPERM, error
`,
  );
  const after = new Uint8Array(8192).fill(0x61);
  after.fill(0x62, 512, 4096);
  assert.deepEqual(await Deno.readFile(image), after);
});

Deno.test("error: a bad sector fails with the error that was chosen", async () => {
  const args = ["--filter", "error", "memory", "1M", "error-range=64K-65999"];
  const how = ["error-pread-rate=100%", "error-pread=ENOMEM"];
  await using server = await TestServer.start([...args, ...how]);
  await python(
    server,
    `
import errno
h.pwrite(b"x" * 65536, 65536)
assert h.pread(65536, 0) == bytes(65536)
try:
    h.pread(1000, 65999)
    assert False
except nbd.Error as error:
    assert error.errnum == errno.ENOMEM, error
`,
  );
});

Deno.test("swab and xor: nbdcopy stores another form and gets the content back", async () => {
  const nbdcopy = requires("nbdcopy", "newer");
  using directory = new TestDirectory();
  const bytes = noise(MEBIBYTE, 3);
  const source = directory.write("source.img", bytes);
  const image = directory.sparse("disk.img", MEBIBYTE);
  const filters = ["--filter", "swab", "--filter", "xor"];
  const args = [...filters, "file", image, "swab-bits=32", "xor-key=deadbeef"];
  await using server = await TestServer.start(args);
  await succeed([...nbdcopy, "--flush", source, server.uri()]);
  assertSameBytes((await succeed([...nbdcopy, server.uri(), "-"])).bytes, bytes);
  const key = [0xde, 0xad, 0xbe, 0xef];
  const stored = bytes.map((_, i) => bytes[i - i % 4 + 3 - i % 4]! ^ key[i % 4]!);
  assertSameBytes(await Deno.readFile(image), stored);
});

Deno.test("blocksize-policy: clients are told, and kept to it", async () => {
  const args = ["--filter", "blocksize-policy", "memory", "1M"];
  const sizes = ["blocksize-minimum=4K", "blocksize-preferred=64K", "blocksize-maximum=256K"];
  await using server = await TestServer.start([...args, ...sizes]);
  await python(
    server,
    `
import errno
sizes = [nbd.SIZE_MINIMUM, nbd.SIZE_PREFERRED, nbd.SIZE_MAXIMUM]
assert [h.get_block_size(one) for one in sizes] == [4096, 65536, 262144]
h.set_strict_mode(0)
h.pwrite(b"x" * 4096, 4096)
for length, at in [(512, 0), (4096, 512)]:
    try:
        h.pread(length, at)
        assert False
    except nbd.Error as error:
        assert error.errnum == errno.EINVAL, error
`,
  );
});

Deno.test("blocksize-policy: clients can be told and do otherwise", async () => {
  const sizes = ["blocksize-minimum=4K", "blocksize-preferred=64K", "blocksize-maximum=256K"];
  const filters = ["--filter", "log", "--filter", "blocksize-policy"];
  const args = [...filters, "memory", "1M", ...sizes, "blocksize-error-policy=allow"];
  await using server = await TestServer.start(args);
  await python(
    server,
    `
sizes = [nbd.SIZE_MINIMUM, nbd.SIZE_PREFERRED, nbd.SIZE_MAXIMUM]
assert [h.get_block_size(one) for one in sizes] == [4096, 65536, 262144]
h.set_strict_mode(0)
h.pwrite(b"x" * 300000, 100)
assert h.pread(3, 99) == b"\\0xx"
`,
  );
});
