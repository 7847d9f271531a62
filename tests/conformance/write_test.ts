// SPDX-License-Identifier: MIT
// WRITE, TRIM, WRITE_ZEROES, CACHE and FLUSH (proto.md "Request types"): what they do, and that a
// refused one leaves everything as it was and the connection in step.

import assert from "node:assert/strict";
import { Command } from "../../core/block/request.ts";
import { encodeRequest } from "../../core/nbd/client.ts";
import { CommandFlag, Replies, TransmissionFlag } from "../../core/nbd/wire.ts";
import { assertSameBytes, filled, noise } from "../support/bytes.ts";
import { TestServer } from "../support/server.ts";

const EPERM = 1;
const EINVAL = 22;
const ENOSPC = 28;
const SIZE = 1024 * 1024;
const MAXIMUM = 32 * 1024 * 1024;
const FRAMINGS = Object.entries(Replies);
const { Fua, NoHole, FastZero, PayloadLength } = CommandFlag;

for (const [name, replies] of FRAMINGS) {
  Deno.test(`commands on nothing succeed and change nothing, ${name}`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client({ replies });
    const data = noise(SIZE);
    await client.write(0, data);
    for (const offset of [0n, 100n, BigInt(SIZE)]) {
      assert.equal(await client.write(offset, new Uint8Array(0)), 0);
      for (const command of [Command.Trim, Command.WriteZeroes]) {
        assert.equal(await client.perform(command, offset, 0n), 0);
      }
    }
    assertSameBytes(await client.read(0, SIZE), data);
  });

  Deno.test(`WRITE past and across the end is ENOSPC and its payload eaten, ${name}`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client({ replies });
    const before = filled(512, 0x77);
    await client.write(SIZE - 512, before);
    for (const offset of [BigInt(SIZE), BigInt(SIZE - 512), 1n << 50n, 0xffffffffffffff00n]) {
      assert.equal(await client.write(offset, noise(70_000)), ENOSPC);
    }
    assertSameBytes(await client.read(SIZE - 512, 512), before);
  });

  Deno.test(`WRITE_ZEROES past and across the end is ENOSPC, TRIM EINVAL, ${name}`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client({ replies });
    const before = filled(512, 0x77);
    await client.write(SIZE - 512, before);
    const ranges = [
      [BigInt(SIZE), 1n],
      [BigInt(SIZE - 512), 1024n],
      [0n, 0xffffffffn],
      [0xffffffffffffffffn, 2n],
    ] as const;
    for (const [offset, length] of ranges) {
      assert.equal(await client.perform(Command.WriteZeroes, offset, length), ENOSPC);
      assert.equal(await client.perform(Command.Trim, offset, length), EINVAL);
    }
    assertSameBytes(await client.read(SIZE - 512, 512), before);
  });

  Deno.test(`what writes on a read-only export is EPERM and in step, ${name}`, async () => {
    await using server = await TestServer.start(["-r", "memory", "1M"]);
    await using client = await server.client({ replies });
    for (const length of [0, 1, 4096, SIZE]) {
      assert.equal(await client.write(0, noise(length)), EPERM);
    }
    for (const command of [Command.Trim, Command.WriteZeroes]) {
      assert.equal(await client.perform(command, 0n, 512n), EPERM);
    }
    assertSameBytes(await client.read(0, 4096), new Uint8Array(4096));
  });

  Deno.test(`WRITE of 32 MiB is served, ${name}`, async () => {
    await using server = await TestServer.start(["memory", "64M"]);
    await using client = await server.client({ replies });
    const data = noise(MAXIMUM);
    assert.equal(await client.write(12345, data), 0);
    assertSameBytes(await client.read(12345, MAXIMUM), data);
  });

  Deno.test(`WRITE with FUA, TRIM with FUA and WRITE_ZEROES with FUA succeed, ${name}`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client({ replies });
    assert.equal(await client.write(0, noise(4096), Fua), 0);
    assertSameBytes(await client.read(0, 4096), noise(4096));
    assert.equal(await client.perform(Command.Trim, 0n, 512n, Fua), 0);
    assert.equal(await client.perform(Command.WriteZeroes, 512n, 512n, Fua), 0);
    assertSameBytes(await client.read(512, 512), new Uint8Array(512));
  });

  Deno.test(`WRITE_ZEROES reads back as zeroes whatever its flags, ${name}`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client({ replies });
    for (const flags of [0, NoHole, FastZero, NoHole | FastZero, Fua | NoHole | FastZero]) {
      await client.write(0, filled(200_000, 0xff));
      const errno = await client.perform(Command.WriteZeroes, 777n, 150_000n, flags);
      if ((flags & FastZero) === 0) assert.equal(errno, 0);
      if (errno !== 0) continue;
      const data = await client.read(0, 200_000);
      assert.ok(data.subarray(777, 150_777).every((byte) => byte === 0));
      assert.ok(data.subarray(0, 777).every((byte) => byte === 0xff));
      assert.ok(data.subarray(150_777).every((byte) => byte === 0xff));
    }
  });

  Deno.test(`FLUSH with and without FUA succeeds, whatever its offset and length, ${name}`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client({ replies });
    assert.equal(await client.perform(Command.Flush), 0);
    assert.equal(await client.perform(Command.Flush, 0n, 0n, Fua), 0);
    assert.equal(await client.perform(Command.Flush, 512n, 0n), 0);
    assert.equal(await client.perform(Command.Flush, 1n << 40n, 4096n), 0);
  });
}

for (const name of ["Simple", "Structured"] as const) {
  Deno.test(`WRITE of 33554433 bytes is refused with EINVAL in step, ${name}`, async () => {
    await using server = await TestServer.start(["memory", "64M"]);
    await using client = await server.client({ replies: Replies[name] });
    assert.equal(await client.write(0, filled(MAXIMUM + 1, 1)), EINVAL);
    assertSameBytes(await client.read(0, 4096), new Uint8Array(4096));
  });

  Deno.test(`WRITE that announces 65 MiB closes the connection, ${name}`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client({ replies: Replies[name] });
    const length = 65n * 1024n * 1024n;
    await client.send(encodeRequest({ command: Command.Write, length }, Replies[name]));
    await client.closed();
  });
}

Deno.test("TRIM and WRITE_ZEROES of more than the maximum payload are served", async () => {
  await using server = await TestServer.start(["memory", "8G"]);
  for (const replies of [Replies.Simple, Replies.Structured]) {
    await using client = await server.client({ replies });
    await client.write(0xffff0000, filled(4096, 1));
    await client.write(100_000, filled(4096, 1));
    assert.equal(await client.perform(Command.WriteZeroes, 4096n, 0xffffffffn), 0);
    assertSameBytes(await client.read(0xffff0000, 4096), new Uint8Array(4096));
    assertSameBytes(await client.read(100_000, 4096), new Uint8Array(4096));
    assert.equal(await client.perform(Command.Trim, 4096n, 0xffffffffn), 0);
  }
});

Deno.test("NO_HOLE leaves no hole, and without it there is one", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.client({ contexts: ["base:allocation"] });
  const extents = async () => {
    const answer = await client.request({ command: Command.BlockStatus, length: 65536n });
    return answer.extents.get(1)!.map(({ length, flags }) => [length, flags]);
  };
  await client.write(0, filled(65536, 1));
  assert.deepEqual(await extents(), [[65536n, 0n]]);
  await client.perform(Command.WriteZeroes, 0n, 65536n, NoHole);
  assert.ok((await extents()).every(([, flags]) => (flags! & 1n) === 0n));
  await client.perform(Command.WriteZeroes, 0n, 65536n);
  assert.deepEqual(await extents(), [[65536n, 3n]]);
});

Deno.test("TRIM of whole blocks leaves a hole", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.client({ contexts: ["base:allocation"] });
  await client.write(0, filled(SIZE, 1));
  await client.perform(Command.Trim, 0n, BigInt(SIZE));
  const answer = await client.request({ command: Command.BlockStatus, length: BigInt(SIZE) });
  assert.deepEqual(answer.extents.get(1), [{ length: BigInt(SIZE), flags: 3n }]);
});

Deno.test("CACHE succeeds where it is offered and is EINVAL where it is not", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.client();
  const offered = (client.agreement!.flags & TransmissionFlag.SendCache) !== 0;
  assert.equal(await client.perform(Command.Cache, 0n, 512n), offered ? 0 : EINVAL);
  assert.equal(await client.perform(Command.Cache, BigInt(SIZE), 512n), EINVAL);
  await client.read(0, 1);
});

Deno.test("extended WRITE without PAYLOAD_LEN, as qemu sends it, is carried out", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using client = await server.client();
  const payload = noise(100_000);
  const answer = await client.request({ command: Command.Write, payload, rawFlags: true });
  assert.equal(answer.errno, 0);
  assertSameBytes(await client.read(0, payload.length), payload);
});

Deno.test("extended WRITE of more than the maximum payload closes the connection", async () => {
  await using server = await TestServer.start(["memory", "64M"]);
  for (const length of [BigInt(MAXIMUM + 1), 1n << 32n, 1n << 63n]) {
    await using client = await server.client();
    const request = { command: Command.Write, flags: PayloadLength, length };
    await client.send(encodeRequest(request, Replies.Extended));
    await client.closed();
  }
});

Deno.test("a refused write of many megabytes is eaten while it comes", async () => {
  await using server = await TestServer.start(["-r", "memory", "64M"]);
  await using client = await server.client({ replies: Replies.Simple });
  const before = server.memoryBytes();
  for (let i = 0; i < 4; i++) assert.equal(await client.write(0, filled(MAXIMUM, 1)), EPERM);
  assert.ok(server.memoryBytes() - before < 24 * 1024 * 1024, "it was kept in memory");
});
