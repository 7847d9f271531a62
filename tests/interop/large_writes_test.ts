// SPDX-License-Identifier: MIT
// Large writes whose payload arrives bit by bit, through filters that count writes or refuse them as a whole.

import assert from "node:assert/strict";
import { Command } from "../../core/block/request.ts";
import { encodeRequest } from "../../core/nbd/client.ts";
import { assertSameBytes, filled } from "../support/bytes.ts";
import { TestDirectory } from "../support/directory.ts";
import { TestServer } from "../support/server.ts";
import type { WireClient } from "../support/wire_client.ts";

const MEBIBYTE = 1024 * 1024;
const EPERM = 1;
const ENOSPC = 28;

/** Writes `payload` with a pause after the first 300,000 bytes of it; the errno. */
async function writeSlowly(
  client: WireClient,
  offset: number,
  payload: Uint8Array<ArrayBuffer>,
): Promise<number> {
  const request = { command: Command.Write, offset: BigInt(offset), payload };
  const cookie = client.expect(request);
  const bytes = encodeRequest({ ...request, cookie }, client.replies);
  await client.send(bytes.subarray(0, 300_000));
  await new Promise((resolve) => setTimeout(resolve, 100));
  await client.send(bytes.subarray(300_000));
  return (await client.answer(cookie)).errno;
}

for (
  const [filter, parameters, errno] of [
    ["protect", ["protect=900K-"], EPERM],
    ["truncate", ["truncate=2M"], ENOSPC],
    ["error", ["error=ENOSPC", "error-pwrite-rate=1", "error-range=900K-901K"], ENOSPC],
  ] as const
) {
  Deno.test(`${filter}: of a large write that is refused nothing is done`, async () => {
    using directory = new TestDirectory();
    const image = directory.write("disk.img", filled(MEBIBYTE, 0x61));
    const filters = ["--filter", "offset", "--filter", filter];
    await using server = await TestServer.start([...filters, "file", image, ...parameters]);
    await using client = await server.client();
    // Of the disk with truncate, the second half has no place below.
    const offset = filter === "truncate" ? MEBIBYTE / 2 : 0;
    assert.equal(await writeSlowly(client, offset, filled(MEBIBYTE, 0x62)), errno);
    assert.equal(await writeSlowly(client, 0, filled(400_000, 0x63)), 0);
    const after = filled(MEBIBYTE, 0x61);
    after.fill(0x63, 0, 400_000);
    assertSameBytes(await Deno.readFile(image), after);
  });
}

Deno.test("stats and log: a large write is one write", async () => {
  const filters = ["--filter", "stats", "--filter", "log"];
  const server = await TestServer.start([...filters, "memory", "4M"]);
  await using client = await server.client();
  assert.equal(await writeSlowly(client, 4096, filled(2 * MEBIBYTE, 1)), 0);
  assert.deepEqual(await client.read(4096 + 2 * MEBIBYTE - 1, 2), Uint8Array.of(1, 0));
  client.close();
  await server.stop();
  assert.match(server.log.text, /writes: 1 of 2097152 bytes/);
  assert.equal(server.log.text.match(/ Write id=/g)?.length, 1);
  await server[Symbol.asyncDispose]();
});
