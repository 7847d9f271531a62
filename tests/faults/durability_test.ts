// SPDX-License-Identifier: MIT
// What was acknowledged is in the file, whenever the server is killed.

import assert from "node:assert/strict";
import { Command } from "../../core/block/request.ts";
import { CommandFlag } from "../../core/nbd/wire.ts";
import { assertSameBytes, noise } from "../support/bytes.ts";
import { TestDirectory } from "../support/directory.ts";
import { TestServer } from "../support/server.ts";
import { WireClient } from "../support/wire_client.ts";

const MEBIBYTE = 1024 * 1024;
const ESHUTDOWN = 108;
const BLOCK = 65536;
const BLOCKS = 512;
const SIZE = BLOCKS * BLOCK;

/** Kills the server and leaves nobody in doubt that it was meant. */
async function kill(server: TestServer): Promise<void> {
  server.signal("SIGKILL");
  assert.equal((await server.ended()).signal, "SIGKILL");
}

/** What `block` holds after it was written for the `generation`-th time. */
function content(block: number, generation: number): Uint8Array<ArrayBuffer> {
  return noise(BLOCK, 1 + block + generation * BLOCKS);
}

Deno.test("writes that were acknowledged and flushed survive kill -9 of the server", async () => {
  using directory = new TestDirectory("/var/tmp");
  const path = directory.sparse("disk", SIZE);
  for (let round = 0; round < 5; round++) {
    await using server = await TestServer.start(["file", path]);
    await using client = await server.client();
    /** Generation of each block that was flushed, and the one that may have been written since. */
    const flushed = new Map<number, number>();
    const written = new Map<number, number>();
    let stopping = false;
    const writing = (async () => {
      for (let i = 0; !stopping; i++) {
        const block = (i * 37 + round * 101) % BLOCKS;
        const generation = round * 100_000 + i;
        written.set(block, generation);
        assert.equal(await client.write(block * BLOCK, content(block, generation)), 0);
        if (i % 8 !== 7) continue;
        assert.equal(await client.perform(Command.Flush), 0);
        for (const [each, its] of written) flushed.set(each, its);
        written.clear();
      }
    })().catch((error) => {
      if (!stopping) throw error;
    });
    while (flushed.size < 40 + round * 20) await new Promise((resolve) => setTimeout(resolve, 1));
    // In the middle of whatever it is doing.
    stopping = true;
    await kill(server);
    await writing;
    using file = Deno.openSync(path);
    const data = new Uint8Array(BLOCK);
    for (const [block, generation] of flushed) {
      // A block that was being written anew may be anything.
      if (written.has(block)) continue;
      file.seekSync(block * BLOCK, Deno.SeekMode.Start);
      assert.equal(file.readSync(data), BLOCK);
      assertSameBytes(data, content(block, generation));
    }
  }
});

Deno.test("writes with FUA survive kill -9 of the server without a flush", async () => {
  using directory = new TestDirectory("/var/tmp");
  const path = directory.sparse("disk", SIZE);
  await using server = await TestServer.start(["file", path]);
  await using client = await server.client();
  for (let block = 0; block < 16; block++) {
    assert.equal(await client.write(block * BLOCK, content(block, 0), CommandFlag.Fua), 0);
  }
  const { Fua } = CommandFlag;
  assert.equal(await client.perform(Command.WriteZeroes, BigInt(BLOCK), BigInt(BLOCK), Fua), 0);
  await kill(server);
  const data = Deno.readFileSync(path);
  for (let block = 0; block < 16; block++) {
    const expected = block === 1 ? new Uint8Array(BLOCK) : content(block, 0);
    assertSameBytes(data.subarray(block * BLOCK, (block + 1) * BLOCK), expected);
  }
});

Deno.test("a flush on one connection covers what all others were told is written", async () => {
  using directory = new TestDirectory("/var/tmp");
  const path = directory.sparse("disk", SIZE);
  await using server = await TestServer.start(["-t", "2", "file", path]);
  const clients = await Promise.all([0, 1, 2, 3].map(() => server.client()));
  await Promise.all(clients.map(async (client, index) => {
    for (let block = index; block < 64; block += 4) {
      assert.equal(await client.write(block * BLOCK, content(block, 7)), 0);
    }
  }));
  assert.equal(await clients[0]!.perform(Command.Flush), 0);
  await kill(server);
  const data = Deno.readFileSync(path);
  for (let block = 0; block < 64; block++) {
    assertSameBytes(data.subarray(block * BLOCK, (block + 1) * BLOCK), content(block, 7));
  }
  for (const client of clients) client.close();
});

Deno.test("after kill -9 the next server takes over the socket and the data", async () => {
  using directory = new TestDirectory("/var/tmp");
  const path = directory.sparse("disk", SIZE);
  const socket = directory.file("socket");
  const args = ["-U", socket, "file", path];
  {
    await using server = await TestServer.start(args, { ownListeners: true });
    await using client = await WireClient.connect(socket);
    await client.negotiate();
    await client.write(0, noise(MEBIBYTE));
    await client.perform(Command.Flush);
    await kill(server);
  }
  // The file of the dead one is there still.
  Deno.lstatSync(socket);
  await using _ = await TestServer.start(args, { ownListeners: true });
  await using client = await WireClient.connect(socket);
  await client.negotiate();
  assertSameBytes(await client.read(0, MEBIBYTE), noise(MEBIBYTE));
});

Deno.test("at SIGTERM writes under way on a file are finished or refused, and none is lost", async () => {
  using directory = new TestDirectory("/var/tmp");
  const path = directory.sparse("disk", SIZE);
  await using server = await TestServer.start(["file", path]);
  await using client = await server.client();
  const cookies: bigint[] = [];
  const { Fua } = CommandFlag;
  for (let block = 0; block < 64; block++) {
    const request = { command: Command.Write, offset: BigInt(block * BLOCK), flags: Fua };
    if (block === 32) server.signal("SIGTERM");
    try {
      cookies.push(await client.post({ ...request, payload: content(block, 3) }));
    } catch {
      // The server has closed the connection already.
      break;
    }
  }
  const outcomes: number[] = [];
  try {
    for (const cookie of cookies) outcomes.push((await client.answer(cookie)).errno);
  } catch {
    // What the server had not received when it closed the connection has no answer.
  }
  assert.equal((await server.ended()).code, 0);
  assert.ok(outcomes.includes(0));
  const data = Deno.readFileSync(path);
  for (const [block, errno] of outcomes.entries()) {
    assert.ok(errno === 0 || errno === ESHUTDOWN, `errno ${errno}`);
    if (errno !== 0) continue;
    assertSameBytes(data.subarray(block * BLOCK, (block + 1) * BLOCK), content(block, 3));
  }
});
