// SPDX-License-Identifier: MIT
// qemu's block layer as a client: qemu-img, qemu-io, and qemu-nbd that exports an export of ours.

import assert from "node:assert/strict";
import { assertSameBytes, noise, sha256 } from "../support/bytes.ts";
import { output, run } from "../support/command.ts";
import { TestDirectory } from "../support/directory.ts";
import { PeerServer } from "../support/peer_server.ts";
import { GENERATIONS, requires } from "../support/peers.ts";
import { TestServer, unixUri } from "../support/server.ts";

const MEBIBYTE = 1024 * 1024;

/** A qcow2 image of 64 MiB with some data, some zeroes and much of nothing; its path. */
async function sparseImage(
  directory: TestDirectory,
  qemuImg: string[],
  qemuIo: string[],
): Promise<string> {
  const path = directory.file("image.qcow2");
  await output([...qemuImg, "create", "-q", "-f", "qcow2", path, "64M"]);
  const commands = [
    "write -P 0x11 0 1M",
    "write -P 0x22 5M 300k",
    "write -P 0x33 33333333 77777",
    "write -z 40M 4M",
    "write -P 0x44 63M 1M",
  ];
  await output([...qemuIo, "-f", "qcow2", ...commands.flatMap((text) => ["-c", text]), path]);
  return path;
}

/** Runs commands of qemu-io; none may fail, no pattern may differ. */
async function io(qemuIo: string[], uri: string, ...commands: string[]): Promise<string> {
  const args = ["-f", "raw", ...commands.flatMap((text) => ["-c", text]), uri];
  const { code, stdout, stderr } = await run([...qemuIo, ...args]);
  assert.equal(code, 0, stdout + stderr);
  assert.doesNotMatch(stdout + stderr, /failed|error/i);
  return stdout;
}

for (const which of GENERATIONS) {
  Deno.test(`qemu-img, ${which}, sees the size and what is allocated`, async () => {
    const qemuImg = requires("qemu-img", which);
    await using server = await TestServer.start(["memory", "64M"]);
    await using client = await server.client();
    await client.write(MEBIBYTE, noise(65536));
    const info = JSON.parse(await output([...qemuImg, "info", "--output=json", server.uri()]));
    assert.equal(info["virtual-size"], 64 * MEBIBYTE);
    const args = ["map", "--output=json", "-f", "raw", server.uri()];
    const extents = JSON.parse(await output([...qemuImg, ...args])) as Record<string, unknown>[];
    assert.deepEqual(extents.map(({ start, length, zero, data }) => [start, length, zero, data]), [
      [0, MEBIBYTE, true, false],
      [MEBIBYTE, 65536, false, true],
      [MEBIBYTE + 65536, 63 * MEBIBYTE - 65536, true, false],
    ]);
  });

  for (const device of ["memory", "file"]) {
    Deno.test(`qemu-img, ${which}, converts a sparse qcow2 to ${device} and back`, async () => {
      const qemuImg = requires("qemu-img", which);
      using directory = new TestDirectory();
      const image = await sparseImage(directory, qemuImg, requires("qemu-io", which));
      const args = device === "memory"
        ? ["memory", "64M"]
        : ["file", directory.sparse("disk", 64 * MEBIBYTE)];
      await using server = await TestServer.start(args);
      const uri = server.uri();
      await output([...qemuImg, "convert", "-n", "-f", "qcow2", "-O", "raw", image, uri]);
      await output([...qemuImg, "compare", "-f", "qcow2", "-F", "raw", image, uri]);
      const back = directory.file("back.qcow2");
      await output([...qemuImg, "convert", "-f", "raw", "-O", "qcow2", uri, back]);
      await output([...qemuImg, "compare", "-f", "qcow2", "-F", "qcow2", image, back]);
      const [left, right] = [directory.file("left"), directory.file("right")];
      await output([...qemuImg, "convert", "-O", "raw", image, left]);
      await output([...qemuImg, "convert", "-f", "raw", "-O", "raw", uri, right]);
      const [before, after] = [Deno.readFileSync(left), Deno.readFileSync(right)];
      assert.equal(await sha256(after), await sha256(before));
      // What was a hole is one still.
      assert.ok(Deno.statSync(back).size < 8 * MEBIBYTE);
    });
  }

  Deno.test(`qemu-img, ${which}, compare finds one byte that differs`, async () => {
    const qemuImg = requires("qemu-img", which);
    using directory = new TestDirectory();
    const content = noise(MEBIBYTE);
    const path = directory.write("content", content);
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client();
    await client.write(0, content);
    const compare = [...qemuImg, "compare", "-f", "raw", "-F", "raw", path, server.uri()];
    assert.equal((await run(compare)).code, 0);
    await client.write(777_777, Uint8Array.of(content[777_777]! ^ 1));
    assert.equal((await run(compare)).code, 1);
  });

  Deno.test(`qemu-img, ${which}, keeps a qcow2 image on an export`, async () => {
    const [qemuImg, qemuIo] = [requires("qemu-img", which), requires("qemu-io", which)];
    await using server = await TestServer.start(["memory", "128M"]);
    const uri = server.uri();
    await output([...qemuImg, "create", "-q", "-f", "qcow2", uri, "1G"]);
    const write = ["-c", "write -P 0x5a 100M 10M", "-c", "write -P 0x5b 900M 10M"];
    await output([...qemuIo, "-f", "qcow2", ...write, uri]);
    const read = [
      "-c",
      "read -P 0x5a 100M 10M",
      "-c",
      "read -P 0x5b 900M 10M",
      "-c",
      "read -P 0 1M 9M",
    ];
    const { code, stdout } = await run([...qemuIo, "-f", "qcow2", ...read, uri]);
    assert.equal(code, 0);
    assert.doesNotMatch(stdout, /failed/);
    assert.match(await output([...qemuImg, "check", "-f", "qcow2", uri]), /No errors/);
  });

  Deno.test(`qemu-img, ${which}, measures with many requests in flight`, async () => {
    const qemuImg = requires("qemu-img", which);
    await using server = await TestServer.start(["memory", "64M"]);
    for (const mode of [[], ["-w", "--flush-interval=128"]]) {
      const args = ["bench", "-f", "raw", "-c", "4000", "-d", "64", "-s", "4096", ...mode];
      assert.match(await output([...qemuImg, ...args, server.uri()]), /Run completed/);
    }
  });

  Deno.test(`qemu-io, ${which}, finds every pattern where it wrote it`, async () => {
    const qemuIo = requires("qemu-io", which);
    using directory = new TestDirectory();
    for (const args of [["memory", "64M"], ["file", directory.sparse("disk", 64 * MEBIBYTE)]]) {
      await using server = await TestServer.start(args);
      await io(
        qemuIo,
        server.uri(),
        "write -P 0xab 0 1M",
        "write -P 0xcd 1M 32M",
        "write -f -P 0xef 40000k 512",
        "flush",
        "read -P 0xab 0 1M",
        "read -P 0xcd 1M 32M",
        "read -P 0xef 40000k 512",
        "write -z 512k 1M",
        "read -P 0 512k 1M",
        "read -P 0xab 0 512k",
        "write -z -u 2M 4M",
        "read -P 0 2M 4M",
        "discard 8M 4M",
        "read -P 0xcd 12M 1M",
        "writev -P 0x77 50M 4k 8k 64k",
        "readv -P 0x77 50M 64k 8k 4k",
        "aio_write -P 0x12 20M 2M",
        "aio_write -P 0x13 22M 2M",
        "aio_flush",
        "read -P 0x12 20M 2M",
        "read -P 0x13 22M 2M",
      );
    }
  });

  Deno.test(`qemu-io, ${which}, cannot write to a read-only export`, async () => {
    const qemuIo = requires("qemu-io", which);
    await using server = await TestServer.start(["-r", "memory", "64M"]);
    const write = await run([...qemuIo, "-f", "raw", "-c", "write 0 4k", server.uri()]);
    assert.notEqual(write.code, 0);
    await output([...qemuIo, "-r", "-f", "raw", "-c", "read -P 0 0 4k", server.uri()]);
  });

  Deno.test(`qemu-nbd, ${which}, exports an export of ours with all that it can do`, async () => {
    const qemuNbd = requires("qemu-nbd", which);
    using directory = new TestDirectory();
    await using server = await TestServer.start(["memory", "32M"]);
    await using client = await server.client();
    const data = noise(3 * MEBIBYTE);
    await client.write(5 * MEBIBYTE, data);
    const socket = directory.file("qemu");
    const args = ["--persistent", "--format=raw", "--shared=4", `--socket=${socket}`, server.uri()];
    await using _ = await PeerServer.start([...qemuNbd, ...args], socket);
    const copy = directory.file("copy");
    const nbdcopy = requires("nbdcopy", which);
    await output([...nbdcopy, unixUri(socket), copy]);
    const content = Deno.readFileSync(copy);
    assertSameBytes(content.subarray(5 * MEBIBYTE, 8 * MEBIBYTE), data);
    assert.ok(content.subarray(8 * MEBIBYTE).every((byte) => byte === 0));
    content.set(noise(MEBIBYTE, 2), 20 * MEBIBYTE);
    await output([...nbdcopy, "--flush", directory.write("new", content), unixUri(socket)]);
    assertSameBytes(await client.read(20 * MEBIBYTE, MEBIBYTE), noise(MEBIBYTE, 2));
  });
}
