// SPDX-License-Identifier: MIT
// Each bundled plugin, and a plugin of the user's own, as other people's clients see it.

import assert from "node:assert/strict";
import { assertSameBytes, concatenated, filled, noise } from "../support/bytes.ts";
import { output, run, succeed } from "../support/command.ts";
import { TestDirectory } from "../support/directory.ts";
import { requires } from "../support/peers.ts";
import { TestServer } from "../support/server.ts";
import { rangeCall, textAt, watPlugin } from "../support/wat_plugin.ts";

const MEBIBYTE = 1024 * 1024;

/** All bytes of an export, by nbdcopy. */
async function contents(server: TestServer, exportName = ""): Promise<Uint8Array> {
  const nbdcopy = requires("nbdcopy", "newer");
  return (await succeed([...nbdcopy, server.uri(exportName), "-"])).bytes;
}

/** All bytes of the device that the arguments make. */
async function contentsOf(...args: string[]): Promise<Uint8Array> {
  await using server = await TestServer.start(args);
  return await contents(server);
}

/** Runs Python with a libnbd handle `h` that is connected. */
async function python(server: TestServer, code: string): Promise<void> {
  const nbdsh = requires("nbdsh", "newer");
  await output([...nbdsh, "-u", server.uri(), "-c", "-"], { input: code });
}

Deno.test("pattern: every 8 bytes hold their offset, to the last odd byte", async () => {
  const data = await contentsOf("pattern", "1000003");
  assert.equal(data.length, 1000003);
  const view = new DataView(data.buffer, data.byteOffset);
  for (let at = 0; at + 8 <= data.length; at += 8) {
    if (view.getBigUint64(at) !== BigInt(at)) throw new Error(`byte ${at} is wrong`);
  }
  assert.equal(data.subarray(1000000).toHex(), "000000");
});

Deno.test("pattern: takes writes of what is there and refuses others with EIO", async () => {
  await using server = await TestServer.start(["pattern", "1M"]);
  await python(
    server,
    `
import nbd, errno
h.pwrite(h.pread(100000, 12345), 12345)
try:
    h.pwrite(bytes(512), 4096)
    assert False
except nbd.Error as error:
    assert error.errnum == errno.EIO, error
`,
  );
});

Deno.test("null: writes succeed and are forgotten", async () => {
  await using server = await TestServer.start(["null", "1M"]);
  await python(
    server,
    "h.pwrite(b'x' * 65536, 0)\nh.flush()\nassert h.pread(65536, 0) == bytes(65536)",
  );
  assert.ok((await contents(server)).every((byte) => byte === 0));
});

Deno.test("zero: reads as zeroes at any size, is read-only and all hole", async () => {
  await using server = await TestServer.start(["zero", "5000001"]);
  assertSameBytes(await contents(server), new Uint8Array(5000001));
  const nbdinfo = requires("nbdinfo", "newer");
  assert.equal((await run([...nbdinfo, "--is", "read-only", server.uri()])).code, 0);
  assert.match(await output([...nbdinfo, "--map", server.uri()]), /^\s+0\s+5000001\s+3\s/);
});

Deno.test("ones: reads as one byte over and over, which can be chosen", async () => {
  assertSameBytes(await contentsOf("ones", "100000"), filled(100000, 0xff));
  assertSameBytes(await contentsOf("ones", "100000", "byte=0x5a"), filled(100000, 0x5a));
});

Deno.test("random: the same seed gives the same bytes, in whatever pieces they are read", async () => {
  const data = await contentsOf("random", "3000001", "seed=42");
  assertSameBytes(await contentsOf("random", "3000001", "seed=42"), data);
  const other = await contentsOf("random", "3000001", "seed=43");
  const equal = other.reduce((sum, byte, at) => sum + (byte === data[at] ? 1 : 0), 0);
  assert.ok(equal < other.length / 200, `${equal} bytes are equal`);
  await using server = await TestServer.start(["random", "3000001", "seed=42"]);
  await using client = await server.client();
  for (const [from, length] of [[1, 7], [4095, 4098], [777_777, 123_456]] as const) {
    assertSameBytes(await client.read(from, length), data.subarray(from, from + length));
  }
});

Deno.test("random: bytes are spread evenly", async () => {
  const data = await contentsOf("random", "4M");
  const counts = new Uint32Array(256);
  for (const byte of data) counts[byte]!++;
  const expected = data.length / 256;
  const chi = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  // 255 degrees of freedom: 99.99 % of random disks lie between.
  assert.ok(chi > 176 && chi < 350, `${chi}`);
});

Deno.test("sparse-random: as much is data as was asked for, and the map says where", async () => {
  const args = ["sparse-random", "64M", "percent=25%", "runlength=128K", "seed=3"];
  await using server = await TestServer.start(args);
  const nbdinfo = requires("nbdinfo", "newer");
  const text = await output([...nbdinfo, "--map", "--json", server.uri()]);
  const extents: { offset: number; length: number; type: number }[] = JSON.parse(text);
  const data = await contents(server);
  let allocated = 0;
  for (const { offset, length, type } of extents) {
    if (type === 0) allocated += length;
    else assert.ok(data.subarray(offset, offset + length).every((byte) => byte === 0));
  }
  assert.ok(allocated > 8 * MEBIBYTE && allocated < 24 * MEBIBYTE, `${allocated}`);
});

Deno.test("data: has the bytes that its language describes", async () => {
  const cases: [string[], Uint8Array][] = [
    [["hex=00ff 10"], Uint8Array.of(0, 255, 16)],
    [["base64=aGVsbG8="], new TextEncoder().encode("hello")],
    [["raw=a b\nc"], new TextEncoder().encode("a b\nc")],
    [['0x55 0xAA @6 "boot" 7*3'], Uint8Array.fromHex("55aa00000000626f6f74070707")],
    [["(1 2)*2 @^8 3", "size=12"], Uint8Array.of(1, 2, 1, 2, 0, 0, 0, 0, 3, 0, 0, 0)],
  ];
  for (const [args, expected] of cases) {
    assertSameBytes(await contentsOf("data", ...args), expected);
  }
});

Deno.test("data: is a disk that can be written to, also far beyond its contents", async () => {
  await using server = await TestServer.start(["data", "1 2 3", "size=1T"]);
  await using client = await server.client();
  assertSameBytes(await client.read(0, 5), Uint8Array.of(1, 2, 3, 0, 0));
  await client.write(2 ** 39, noise(5000));
  assertSameBytes(await client.read(2 ** 39, 5000), noise(5000));
});

Deno.test("file: an odd size is exact to the byte, reading and writing", async () => {
  using directory = new TestDirectory();
  const content = noise(70_001);
  const path = directory.write("disk", content);
  await using server = await TestServer.start(["file", path]);
  assertSameBytes(await contents(server), content);
  await using client = await server.client();
  assert.equal(await client.write(70_000, Uint8Array.of(0x77)), 0);
  const after = Deno.readFileSync(path);
  assert.equal(after.length, 70_001);
  assert.equal(after[70_000], 0x77);
});

Deno.test("file: an inherited descriptor is served", async () => {
  using directory = new TestDirectory();
  const path = directory.write("disk", noise(10_000));
  const wrapper = ["/bin/sh", "-c", `exec 7<>'${path}'; exec "$@"`, "sh"];
  await using server = await TestServer.start(["file", "fd=7"], { wrapper });
  assertSameBytes(await contents(server), noise(10_000));
});

Deno.test("file: direct=true reads and writes past the page cache", async () => {
  using directory = new TestDirectory("/var/tmp");
  const path = directory.write("disk", noise(MEBIBYTE));
  await using server = await TestServer.start(["file", path, "direct=true"]);
  assertSameBytes(await contents(server), noise(MEBIBYTE));
  const nbdcopy = requires("nbdcopy", "newer");
  const content = noise(MEBIBYTE, 2);
  await output([...nbdcopy, "--flush", directory.write("new", content), server.uri()]);
  assertSameBytes(Deno.readFileSync(path), content);
});

Deno.test("file: every name in a directory can be copied from, however odd", async () => {
  using directory = new TestDirectory();
  const names = [
    "plain",
    "with  two spaces",
    "grüße.img",
    "50% off",
    "a&b=c?d#e+f;g",
    "日本",
    "'\"",
  ];
  for (const [index, name] of names.entries()) directory.write(name, noise(3000 + index, index));
  await using server = await TestServer.start(["file", `dir=${directory.path}`]);
  for (const [index, name] of names.entries()) {
    assertSameBytes(await contents(server, name), noise(3000 + index, index));
  }
  const qemuImg = requires("qemu-img");
  const info = await output([...qemuImg, "info", "--output=json", server.uri("50% off")]);
  assert.ok(JSON.parse(info)["virtual-size"] >= 3003);
});

Deno.test("file: what happens in the directory is seen by the next client", async () => {
  using directory = new TestDirectory();
  directory.write("first", noise(1000));
  await using server = await TestServer.start(["file", `dir=${directory.path}`]);
  assertSameBytes(await contents(server, "first"), noise(1000));
  directory.write("second", noise(2000));
  assertSameBytes(await contents(server, "second"), noise(2000));
  Deno.removeSync(directory.file("first"));
  await assert.rejects(server.client({ exportName: "first" }), /refused/);
});

Deno.test("a plugin of the user's own is served by its path", async () => {
  using directory = new TestDirectory();
  const body = `${textAt(0, "my own disk")} ${
    rangeCall(
      "sb_pread",
      `(call $reply_data (local.get $request) (i64.const 0)
         (i32.wrap_i64 (local.get $offset)) (local.get $count) (i32.const 1)) (i32.const 0)`,
    )
  } (func (export "sb_size") (param i32) (result i64) i64.const 11)`;
  directory.write("my.wasm", await watPlugin({ body }));
  for (const path of ["./my.wasm", "my.wasm", directory.file("my.wasm")]) {
    await using server = await TestServer.start([path], { cwd: directory.path });
    assertSameBytes(await contents(server), new TextEncoder().encode("my own disk"));
  }
});

Deno.test("memory: a gigabyte that is trimmed is given back to the system", async () => {
  await using server = await TestServer.start(["memory", "1T"]);
  await using client = await server.client();
  const before = server.memoryBytes();
  for (let at = 0; at < 256; at += 16) await client.write(at * MEBIBYTE, noise(16 * MEBIBYTE));
  assert.ok(server.memoryBytes() - before > 200 * MEBIBYTE);
  assert.equal(await client.perform(4, 0n, 2n ** 40n), 0);
  const kept = server.memoryBytes() - before;
  assert.ok(kept < 64 * MEBIBYTE, `${kept} bytes are kept`);
  const data = noise(MEBIBYTE, 5);
  await client.write(2 ** 39, data);
  const around = await client.read(2 ** 39 - 10, MEBIBYTE + 20);
  assertSameBytes(around, concatenated(new Uint8Array(10), data, new Uint8Array(10)));
});
