// SPDX-License-Identifier: MIT
// Disks that are full or fail: the client is told, and the server serves on.

import assert from "node:assert/strict";
import { Command } from "../../core/block/request.ts";
import { assertSameBytes, filled, noise } from "../support/bytes.ts";
import { run } from "../support/command.ts";
import { TestDirectory } from "../support/directory.ts";
import { TestServer } from "../support/server.ts";

const EIO = 5;
const ENOSPC = 28;
const MEBIBYTE = 1024 * 1024;

/**
 * A program with arguments that gives the server a full disk: a tmpfs of 4 MiB over `directory` in a
 * mount namespace of its own, or where that is not allowed, a limit on the size of files. Null where
 * there is neither.
 */
async function fullDisk(directory: string): Promise<string[] | null> {
  const script = `mount -t tmpfs -o size=4m sandblock-test ${directory} &&
    truncate -s 64M ${directory}/disk && exec "$@"`;
  for (const flags of ["-m", "-rm"]) {
    const wrapper = ["unshare", flags, "/bin/sh", "-c", script, "sh"];
    if ((await run([...wrapper, "true"])).code === 0) return wrapper;
  }
  return null;
}

Deno.test("a full disk is ENOSPC for the client, and the server serves on", async () => {
  using directory = new TestDirectory("/var/tmp");
  const wrapper = await fullDisk(directory.path);
  if (wrapper === null) throw new Error("cannot test a full disk: unshare may not mount a tmpfs");
  const path = directory.file("disk");
  await using server = await TestServer.start(["file", path], { wrapper });
  await using client = await server.client();
  assert.equal(client.agreement!.size, 64n * 1048576n);
  await fillUp(client);
  // What is there can be written again, and room can be made.
  assert.equal(await client.write(0, noise(65536, 99)), 0);
  assertSameBytes(await client.read(0, 65536), noise(65536, 99));
  assert.equal(await client.perform(Command.Trim, 0n, 2n * 1048576n), 0);
  assert.equal(await client.write(32 * MEBIBYTE, noise(MEBIBYTE)), 0);
  assertSameBytes(await client.read(32 * MEBIBYTE, MEBIBYTE), noise(MEBIBYTE));
  await using other = await server.client();
  assertSameBytes(await other.read(32 * MEBIBYTE, MEBIBYTE), noise(MEBIBYTE));
});

async function fillUp(client: Awaited<ReturnType<TestServer["client"]>>): Promise<void> {
  const outcomes: number[] = [];
  for (let at = 0; at < 64 * MEBIBYTE; at += 512 * 1024) {
    outcomes.push(await client.write(at, filled(512 * 1024, 1)));
  }
  const first = outcomes.indexOf(ENOSPC);
  assert.ok(first >= 6, "it was full too early or never");
  assert.ok(outcomes.every((errno) => errno === 0 || errno === ENOSPC), outcomes.join(" "));
}

Deno.test("a limit on the size of files is ENOSPC for the client, and the server lives", async () => {
  using directory = new TestDirectory("/var/tmp");
  const path = directory.sparse("disk", 64 * MEBIBYTE);
  // In blocks of 512 bytes: 4 MiB.
  const wrapper = ["/bin/sh", "-c", `ulimit -f 8192; exec "$@"`, "sh"];
  await using server = await TestServer.start(["file", path], { wrapper });
  await using client = await server.client();
  assert.equal(await client.write(2 * MEBIBYTE, noise(MEBIBYTE)), 0);
  assert.equal(await client.write(32 * MEBIBYTE, noise(MEBIBYTE)), ENOSPC);
  assertSameBytes(await client.read(2 * MEBIBYTE, MEBIBYTE), noise(MEBIBYTE));
});

Deno.test("a file that was cut short is EIO where it is missing, and zeroes nowhere", async () => {
  using directory = new TestDirectory("/var/tmp");
  const path = directory.write("disk", noise(4 * MEBIBYTE));
  await using server = await TestServer.start(["file", path]);
  await using client = await server.client();
  await client.read(3 * MEBIBYTE, 4096);
  Deno.truncateSync(path, 2 * MEBIBYTE);
  assert.equal(await client.perform(Command.Read, 3n * 1048576n, 4096n), EIO);
  assertSameBytes(
    await client.read(MEBIBYTE, 4096),
    noise(4 * MEBIBYTE).subarray(MEBIBYTE, MEBIBYTE + 4096),
  );
  const { errno } = await client.request({
    command: Command.Read,
    offset: 2n * 1048576n - 4096n,
    length: 8192n,
  });
  assert.equal(errno, EIO);
});

Deno.test("a file that was removed is served on to those who have it open", async () => {
  using directory = new TestDirectory("/var/tmp");
  const path = directory.write("disk", noise(MEBIBYTE));
  await using server = await TestServer.start(["file", path]);
  await using client = await server.client();
  Deno.removeSync(path);
  assertSameBytes(await client.read(0, MEBIBYTE), noise(MEBIBYTE));
  assert.equal(await client.write(0, noise(4096, 2)), 0);
  // Nobody else can open it, and is told so.
  await assert.rejects(server.client(), /refused: .*disk/);
});

Deno.test("a file without permission to write is served read-only or refused in words", async () => {
  using directory = new TestDirectory("/var/tmp");
  const path = directory.write("disk", noise(4096));
  await using server = await TestServer.start(["-r", "file", path]);
  await using client = await server.client();
  assert.equal(await client.write(0, noise(512)), 1);
  assertSameBytes(Deno.readFileSync(path), noise(4096));
});

Deno.test("a log that cannot be written costs nobody anything", async () => {
  using directory = new TestDirectory();
  const policy = directory.write("rules.policy", "default allow\nlog write\n");
  const wrapper = ["sh", "-c", 'exec "$@" 2>/dev/full', "sh"];
  await using server = await TestServer.start(["-v", "--policy", policy, "memory", "1M"], {
    wrapper,
  });
  for (let i = 0; i < 3; i++) {
    await using client = await server.client();
    assert.equal(await client.write(4096 * i, noise(4096)), 0);
    server.signal("SIGHUP");
  }
  await using client = await server.client();
  assertSameBytes(await client.read(8192, 4096), noise(4096));
});
