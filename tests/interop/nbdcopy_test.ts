// SPDX-License-Identifier: MIT
// nbdcopy of libnbd: every way of copying, with the bytes compared.

import assert from "node:assert/strict";
import { assertSameBytes, noise, sha256 } from "../support/bytes.ts";
import { output, succeed } from "../support/command.ts";
import { TestDirectory } from "../support/directory.ts";
import { GENERATIONS, requires } from "../support/peers.ts";
import { sandblock } from "../support/program.ts";
import { TestServer } from "../support/server.ts";

const MEBIBYTE = 1024 * 1024;

/** Data in some places and holes between them. */
function sparseContent(length: number): Uint8Array<ArrayBuffer> {
  const content = new Uint8Array(length);
  const data = noise(300_000, 7);
  for (let at = 0; at + data.length < length; at += 2_500_000) content.set(data, at);
  content.set(noise(5000, 8), length - 5000);
  return content;
}

for (const which of GENERATIONS) {
  for (const device of ["memory", "file"]) {
    Deno.test(`nbdcopy, ${which}, brings a sparse file to ${device} and back`, async () => {
      const nbdcopy = requires("nbdcopy", which);
      using directory = new TestDirectory();
      const content = sparseContent(32 * MEBIBYTE);
      const source = directory.write("source", content);
      const args = device === "memory"
        ? ["memory", `${content.length}`]
        : ["file", directory.sparse("disk", content.length)];
      await using server = await TestServer.start(args);
      await output([...nbdcopy, "--flush", source, server.uri()]);
      const target = directory.file("target");
      await output([...nbdcopy, server.uri(), target]);
      assert.equal(await sha256(Deno.readFileSync(target)), await sha256(content));
      if (device === "file") assertSameBytes(Deno.readFileSync(args[1]!), content);
    });
  }

  Deno.test(`nbdcopy, ${which}, copies an odd size to the byte`, async () => {
    const nbdcopy = requires("nbdcopy", which);
    using directory = new TestDirectory();
    const content = noise(1_000_003);
    const source = directory.write("source", content);
    const path = directory.sparse("disk", content.length);
    await using server = await TestServer.start(["file", path]);
    await output([...nbdcopy, source, server.uri()]);
    assertSameBytes(Deno.readFileSync(path), content);
    const { bytes } = await succeed([...nbdcopy, server.uri(), "-"]);
    assertSameBytes(bytes, content);
  });

  for (const options of [[], ["--connections=4"], ["--synchronous"], ["--no-extents"]]) {
    const name = options.join(" ") || "no options";
    Deno.test(`nbdcopy, ${which}, from one server to another with ${name}`, async () => {
      const nbdcopy = requires("nbdcopy", which);
      await using source = await TestServer.start(["pattern", "40M"]);
      await using target = await TestServer.start(["memory", "40M"]);
      await output([...nbdcopy, ...options, source.uri(), target.uri()]);
      await using client = await target.client();
      const data = await client.read(0, 32 * MEBIBYTE);
      const view = new DataView(data.buffer, data.byteOffset);
      for (let at = 0; at < data.length; at += 8) {
        if (view.getBigUint64(at) !== BigInt(at)) throw new Error(`byte ${at} is wrong`);
      }
      const end = await client.read(40 * MEBIBYTE - 8, 8);
      assert.equal(new DataView(end.buffer, end.byteOffset).getBigUint64(0), 41943032n);
    });
  }

  Deno.test(`nbdcopy, ${which}, between commands that it starts itself`, async () => {
    const nbdcopy = requires("nbdcopy", which);
    using directory = new TestDirectory();
    const path = directory.sparse("disk", MEBIBYTE);
    await output([
      ...nbdcopy,
      ...["[", ...sandblock(), "serve", "random", "1M", "seed=5", "]"],
      ...["[", ...sandblock(), "serve", "file", path, "]"],
    ]);
    await using server = await TestServer.start(["random", "1M", "seed=5"]);
    await using client = await server.client();
    assertSameBytes(Deno.readFileSync(path), await client.read(0, MEBIBYTE));
  });
}

Deno.test("nbdcopy leaves the holes of a sparse disk unallocated", async () => {
  const nbdcopy = requires("nbdcopy", "newer");
  using directory = new TestDirectory("/dev/shm");
  const path = directory.sparse("disk", 1024 * MEBIBYTE);
  await using source = await TestServer.start(["memory", "1G"]);
  await using client = await source.client();
  await client.write(512 * MEBIBYTE, noise(MEBIBYTE));
  await using target = await TestServer.start(["file", path]);
  await output([...nbdcopy, "--flush", source.uri(), target.uri()]);
  const { blocks } = Deno.statSync(path);
  assert.ok(blocks! * 512 <= 2 * MEBIBYTE, `${blocks} blocks are allocated`);
  using file = Deno.openSync(path);
  file.seekSync(512 * MEBIBYTE, Deno.SeekMode.Start);
  const data = new Uint8Array(MEBIBYTE);
  assert.equal(file.readSync(data), MEBIBYTE);
  assertSameBytes(data, noise(MEBIBYTE));
});

Deno.test("nbdcopy writes zeroes over old data, with and without --allocated", async () => {
  const nbdcopy = requires("nbdcopy", "newer");
  for (const options of [[], ["--allocated"]]) {
    await using source = await TestServer.start(["zero", "8M"]);
    await using target = await TestServer.start(["memory", "8M"]);
    await using client = await target.client();
    await client.write(0, noise(8 * MEBIBYTE));
    await output([...nbdcopy, ...options, source.uri(), target.uri()]);
    assertSameBytes(await client.read(0, 8 * MEBIBYTE), new Uint8Array(8 * MEBIBYTE));
  }
});

Deno.test("nbdcopy to null: reads all of a disk of 100 GiB that is mostly hole", async () => {
  const nbdcopy = requires("nbdcopy", "newer");
  await using server = await TestServer.start(["memory", "100G"]);
  await using client = await server.client();
  await client.write(50 * 1024 * MEBIBYTE, noise(4 * MEBIBYTE));
  await output([...nbdcopy, server.uri(), "null:"]);
});
