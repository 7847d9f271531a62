// SPDX-License-Identifier: MIT
// Plugins and filters in blocking style under other people's clients, with many requests at a time.

import assert from "node:assert/strict";
import {
  OK,
  reader,
  THROUGH,
  THROUGH_MANIFEST,
  ZEROES,
} from "../../core/plugin/blocking/test_pool.ts";
import { plugin } from "../../core/plugin/test_plugins.ts";
import { assertSameBytes, noise } from "../support/bytes.ts";
import { output, run, succeed } from "../support/command.ts";
import { TestDirectory } from "../support/directory.ts";
import { requires } from "../support/peers.ts";
import { sandblock } from "../support/program.ts";
import { TestServer } from "../support/server.ts";

const MEBIBYTE = 1024 * 1024;

/** Writes the plugin to a file; returns its path. */
function written(
  directory: TestDirectory,
  wat: string,
  manifest: Record<string, unknown>,
): string {
  const bytes = plugin(wat, { abi: "3.1", threads: "blocking", ...manifest });
  return directory.write("test.wasm", bytes);
}

/** Runs Python with a libnbd handle `h` that is connected. */
async function python(server: TestServer, code: string): Promise<string> {
  const nbdsh = requires("nbdsh");
  return await output([...nbdsh, "-u", server.uri(), "-c", "-"], { input: code });
}

for (const device of ["memory", "file"]) {
  Deno.test(`fio verifies at depth 16 through a filter that waits, above ${device}`, async () => {
    using directory = new TestDirectory();
    const path = written(directory, THROUGH, { ...THROUGH_MANIFEST, instances: 4 });
    const below = device === "memory"
      ? ["memory", "16M"]
      : ["file", directory.sparse("disk", 16 * MEBIBYTE)];
    await using server = await TestServer.start(["--filter", path, ...below]);
    for (const sizes of [["--bs=4k"], ["--bsrange=512-128k", "--bs_unaligned=0"]]) {
      const command = [
        ...requires("fio"),
        ...["--name=test", "--ioengine=nbd", `--uri=${server.uri()}`, "--randseed=42"],
        ...["--rw=randrw", "--size=6M", "--iodepth=16", ...sizes],
        ...["--verify=crc32c", "--verify_fatal=1", "--verify_backlog=64"],
      ];
      const { code, stdout, stderr } = await run(command, { cwd: directory.path });
      assert.equal(code, 0, stdout + stderr);
    }
  });
}

/** Reads 16 blocks at a time, twice, and prints how long it took the second time, in seconds. */
const READS = `
import time
for i in range(2):
    start = time.time()
    buffers = [nbd.Buffer(512) for i in range(16)]
    under_way = {h.aio_pread(buffers[i], i * 512) for i in range(16)}
    while under_way:
        h.poll(-1)
        under_way = {cookie for cookie in under_way if not h.aio_command_completed(cookie)}
print(time.time() - start)
`;

Deno.test("reads that sleep are answered as many at a time as there are instances", async () => {
  using directory = new TestDirectory();
  const wat = reader(`(drop (call $sleep (i64.const 200000000))) ${ZEROES} ${OK}`, ["sleep"]);
  const path = written(directory, wat, { instances: 8 });
  await using server = await TestServer.start([path]);
  const seconds = Number(await python(server, READS));
  assert(seconds >= 0.39, `${seconds} s for two after each other`);
  assert(seconds < 2.4, `${seconds} s; one after the other it would be 3.2 s`);
});

Deno.test("one instance that is stuck, and one that loops, leave the others to their clients", async () => {
  using directory = new TestDirectory();
  const wat = reader(
    `(if (i64.eq (local.get $offset) (i64.const 0))
      (then (drop (call $sleep (i64.const 0x7fffffffffffffff)))))
    (if (i64.eq (local.get $offset) (i64.const 512)) (then (loop (br 0)))) ${ZEROES} ${OK}`,
    ["sleep"],
  );
  const path = written(directory, wat, { instances: 3 });
  await using server = await TestServer.start([
    "--plugin-timeout=1s",
    "--drain-timeout=1s",
    path,
  ]);
  const text = await python(
    server,
    `
import os
stuck = h.aio_pread(nbd.Buffer(512), 0)
loops = h.aio_pread(nbd.Buffer(512), 512)
for i in range(64):
    assert h.pread(512, 1024 + i * 512) == bytes(512)
while True:
    h.poll(-1)
    try:
        if h.aio_command_completed(loops): print("no error")
        else: continue
    except nbd.Error as error:
        print(error.errno)
    break
assert not h.aio_command_completed(stuck)
os._exit(0)
`,
  );
  assert.equal(text.trim(), "EIO");
  // It stops, though a request is still under way.
  const { code } = await server.stop();
  assert.equal(code, 0);
});

Deno.test("an image that qemu-img has made is the disk that it was made of", async () => {
  using directory = new TestDirectory();
  const qemuImg = requires("qemu-img");
  const bytes = new Uint8Array(12 * MEBIBYTE);
  for (const [at, length] of [[0, 70_000], [3 * MEBIBYTE - 7, 1000], [9 * MEBIBYTE, MEBIBYTE]]) {
    bytes.set(noise(length!, at! + 1), at);
  }
  const raw = directory.write("disk.img", bytes);
  const image = directory.file("disk.vdi");
  await output([...qemuImg, "convert", "-f", "raw", "-O", "vdi", raw, image]);
  await using server = await TestServer.start(["--filter", "vdi", "file", image]);
  const nbdcopy = requires("nbdcopy", "newer");
  assertSameBytes((await succeed([...nbdcopy, server.uri(), "-"])).bytes, bytes);
  const map = await output([...qemuImg, "map", "--output=json", "-f", "raw", server.uri()]);
  const holes = JSON.parse(map).filter(({ data }: { data: boolean }) => !data);
  assert(holes.length >= 2, map);
  assert(holes.every(({ zero }: { zero: boolean }) => zero));
});

Deno.test("plugin check and plugin show know plugins in blocking style", async () => {
  using directory = new TestDirectory();
  const path = written(directory, THROUGH, { ...THROUGH_MANIFEST, instances: 5 });
  assert.match(await output([...sandblock(), "plugin", "show", path]), /blocking, 5 instances/);
  const checked = await output([...sandblock(), "plugin", "check", "--operations=40", path]);
  assert.match(checked, /, 0 failed,/);
});
