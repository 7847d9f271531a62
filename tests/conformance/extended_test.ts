// SPDX-License-Identifier: MIT
// What extended headers add (extension-ext-header branch of proto.md): 64-bit lengths, and payloads
// where none belong.

import assert from "node:assert/strict";
import { Command } from "../../core/block/request.ts";
import { encodeRequest } from "../../core/nbd/client.ts";
import { CommandFlag, Replies } from "../../core/nbd/wire.ts";
import { assertSameBytes, filled, noise } from "../support/bytes.ts";
import { TestServer } from "../support/server.ts";

const EINVAL = 22;
const ENOSPC = 28;
const EOVERFLOW = 75;
const MAXIMUM = 32 * 1024 * 1024;
const { PayloadLength } = CommandFlag;

Deno.test("TRIM and WRITE_ZEROES take a terabyte in one request", async () => {
  await using server = await TestServer.start(["memory", "1T"]);
  await using client = await server.client();
  for (const command of [Command.WriteZeroes, Command.Trim]) {
    for (const offset of [0, 2 ** 33, 2 ** 40 - 4096]) await client.write(offset, noise(4096));
    assert.equal(await client.perform(command, 0n, 2n ** 40n), 0);
    for (const offset of [0, 2 ** 33, 2 ** 40 - 4096]) {
      assertSameBytes(await client.read(offset, 4096), new Uint8Array(4096));
    }
  }
});

Deno.test("a 64-bit length that is too long by a multiple of 4 GiB is not cut", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.client();
  await client.write(0, filled(4096, 1));
  for (const length of [(1n << 32n) + 512n, (1n << 63n) + 512n, 0xffffffff00000200n]) {
    assert.equal(await client.perform(Command.WriteZeroes, 0n, length), ENOSPC);
    assert.equal(await client.perform(Command.Trim, 0n, length), EINVAL);
    assert.equal(await client.perform(Command.Read, 0n, length), EOVERFLOW);
  }
  assertSameBytes(await client.read(0, 4096), filled(4096, 1));
});

Deno.test("PAYLOAD_LEN on a command that takes none: the payload is eaten, then EINVAL", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.client();
  const { Read, Flush, Trim, Cache, WriteZeroes, BlockStatus } = Command;
  for (const command of [Read, Flush, Trim, Cache, WriteZeroes, BlockStatus, 99]) {
    for (const length of [0, 1, 512, 300_000]) {
      const payload = filled(length, 0xaa);
      const answer = await client.request({ command, flags: PayloadLength, payload });
      assert.equal(answer.errno, EINVAL, `command ${command}, ${length} bytes`);
    }
  }
  assertSameBytes(await client.read(0, 512), new Uint8Array(512));
});

Deno.test("a payload of the maximum is eaten, a longer one closes the connection", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.client();
  const payload = new Uint8Array(MAXIMUM);
  const answer = await client.request({ command: Command.Trim, flags: PayloadLength, payload });
  assert.equal(answer.errno, EINVAL);
  const length = BigInt(MAXIMUM + 1);
  const header = { command: Command.Trim, flags: PayloadLength, length };
  await client.send(encodeRequest(header, Replies.Extended));
  await client.closed();
});

Deno.test("DISC with a payload says goodbye all the same", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.client();
  const payload = new Uint8Array(100);
  const request = { command: Command.Disconnect, flags: PayloadLength, payload };
  await client.send(encodeRequest(request, Replies.Extended));
  await client.closed();
});

Deno.test("an error of an extended request has its offset, not where the error is", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.client();
  const offset = 1024n * 1024n - 100n;
  await client.post({ command: Command.Read, offset, length: 200n });
  const content = await client.reply();
  assert.equal(content.requestOffset, offset);
  const error = await client.reply();
  assert.equal(error.requestOffset, offset);
  assert.equal(error.content.kind === "error" && error.content.offset, 1024n * 1024n);
});
