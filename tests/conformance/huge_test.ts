// SPDX-License-Identifier: MIT
// Offsets and lengths near 2^63, where arithmetic on numbers that are not whole goes wrong.

import assert from "node:assert/strict";
import { Command } from "../../core/block/request.ts";
import { Replies } from "../../core/nbd/wire.ts";
import { assertSameBytes, concatenated, noise } from "../support/bytes.ts";
import { TestServer } from "../support/server.ts";

const EINVAL = 22;
const ENOSPC = 28;
const SIZE = (1n << 63n) - 1n;
const ARGS = ["memory", `${SIZE}`];

for (const [name, replies] of Object.entries(Replies)) {
  Deno.test(`a disk of 2^63-1 bytes is as large as it says, ${name}`, async () => {
    await using server = await TestServer.start(ARGS);
    await using client = await server.client({ replies });
    assert.equal(client.agreement!.size, SIZE);
    const data = noise(4096);
    for (const offset of [0n, (1n << 53n) - 1n, (1n << 53n) + 1n, 1n << 62n, SIZE - 4096n]) {
      assert.equal(await client.write(offset, data), 0, `write at ${offset}`);
      assertSameBytes(await client.read(offset, 4096), data);
    }
    // One byte to the side: an offset that lost its last bits would not see the difference.
    const middle = await client.read((1n << 53n) - 2n, 4100);
    assertSameBytes(middle.subarray(1, 3), data.subarray(0, 2));
    assert.equal(await client.write(SIZE - 4095n, data), ENOSPC);
    assert.equal(await client.perform(Command.Read, SIZE, 1n), EINVAL);
    assert.equal(await client.perform(Command.Read, SIZE + 1n, 0n), EINVAL);
  });
}

Deno.test("READ across the end of a disk of 2^63-1 bytes stops at the right byte", async () => {
  await using server = await TestServer.start(ARGS);
  await using client = await server.client();
  await client.write(SIZE - 5n, Uint8Array.of(1, 2, 3, 4, 5));
  const answer = await client.request({ command: Command.Read, offset: SIZE - 6n, length: 10n });
  assert.equal(answer.failures[0]!.offset, SIZE);
  assertSameBytes(answer.data().subarray(0, 6), Uint8Array.of(0, 1, 2, 3, 4, 5));
});

Deno.test("BLOCK_STATUS of 2^63-1 bytes adds up", async () => {
  await using server = await TestServer.start(ARGS);
  await using client = await server.client({ contexts: ["base:allocation"] });
  await client.write(1n << 62n, noise(65536));
  const answer = await client.request({ command: Command.BlockStatus, length: SIZE });
  const extents = [...answer.extents.values()][0]!;
  assert.equal(extents.reduce((sum, { length }) => sum + length, 0n), SIZE);
  assert.deepEqual(extents[0], { length: 1n << 62n, flags: 3n });
  assert.deepEqual(extents[1], { length: 65536n, flags: 0n });
});

Deno.test("WRITE_ZEROES and TRIM of 2^63-1 bytes clear all of them", async () => {
  await using server = await TestServer.start(ARGS);
  await using client = await server.client();
  const places = [0n, (1n << 53n) + 1n, SIZE - 4096n];
  for (const command of [Command.WriteZeroes, Command.Trim]) {
    for (const place of places) await client.write(place, noise(4096));
    assert.equal(await client.perform(command, 0n, SIZE), 0);
    for (const place of places) {
      assertSameBytes(await client.read(place, 4096), new Uint8Array(4096));
    }
  }
  assert.equal(await client.perform(Command.WriteZeroes, 1n, SIZE), ENOSPC);
  assert.equal(await client.perform(Command.Trim, 1n, SIZE), EINVAL);
});

Deno.test("WRITE_ZEROES of all but the first and last bytes leaves those", async () => {
  await using server = await TestServer.start(ARGS);
  await using client = await server.client();
  const data = noise(100);
  await client.write(0, data);
  await client.write(SIZE - 100n, data);
  assert.equal(await client.perform(Command.WriteZeroes, 1n, SIZE - 2n), 0);
  const zeroes = new Uint8Array(99);
  assertSameBytes(await client.read(0, 100), concatenated(data.subarray(0, 1), zeroes));
  const end = await client.read(SIZE - 100n, 100);
  assertSameBytes(end, concatenated(zeroes, data.subarray(99)));
});

Deno.test("the pattern plugin computes right beyond 2^53", async () => {
  await using server = await TestServer.start(["pattern", `${SIZE}`]);
  await using client = await server.client();
  for (const offset of [(1n << 53n) + 8n, (1n << 62n) + 8n, SIZE - 15n]) {
    const data = await client.read(offset, 8);
    assert.equal(new DataView(data.buffer, data.byteOffset).getBigUint64(0), offset);
  }
});
