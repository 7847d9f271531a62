// SPDX-License-Identifier: MIT
// Clients that stall, flood, disappear or never listen cost nobody else anything; and the bounds
// hold: connections, memory, time for the handshake.

import assert from "node:assert/strict";
import { Command } from "../../core/block/request.ts";
import { encodeOption, encodeRequest } from "../../core/nbd/client.ts";
import { Option, Replies } from "../../core/nbd/wire.ts";
import { assertSameBytes, concatenated, filled, noise } from "../support/bytes.ts";
import { within } from "../support/deadline.ts";
import { requires } from "../support/peers.ts";
import { TestServer } from "../support/server.ts";
import type { WireClient } from "../support/wire_client.ts";
import { assertPrompt, PROMPT_MS } from "./good_client.ts";

const MEBIBYTE = 1024 * 1024;
const MAXIMUM = 32 * MEBIBYTE;

/** The beginning of a write whose payload is `length` bytes, `sent` of which come. */
function partialWrite(length: number, sent: number): Uint8Array {
  const header = encodeRequest(
    { command: Command.Write, length: BigInt(length), flags: 0x20 },
    Replies.Extended,
  );
  return concatenated(header, filled(sent, 0x99));
}

Deno.test("clients that stall in the middle of a request block nobody", async () => {
  await using server = await TestServer.start(["memory", "64M"]);
  const stalled: WireClient[] = [];
  for (const sent of [0, 1, 511, 65536, MEBIBYTE]) {
    const client = await server.client();
    await client.send(partialWrite(2 * MEBIBYTE, sent));
    stalled.push(client);
  }
  const half = await server.client();
  await half.send(encodeRequest({ command: Command.Flush }, Replies.Extended).subarray(0, 17));
  for (let i = 0; i < 5; i++) await assertPrompt(server);
  // Those that go on have lost nothing.
  const [first] = stalled;
  await first!.send(filled(2 * MEBIBYTE, 0x99));
  const reply = await first!.take(32);
  assert.equal(reply.subarray(0, 8).toHex(), "6e8a278c" + "0001" + "0000");
  for (const client of [...stalled, half]) client.close();
});

Deno.test("a stalled client that holds the memory others wait for is closed", async () => {
  await using server = await TestServer.start(["--inflight-bytes=100M", "memory", "64M"]);
  await using greedy = await server.client();
  await greedy.send(partialWrite(MAXIMUM, 30 * MEBIBYTE));
  await using client = await server.client();
  const data = noise(MAXIMUM);
  const [write, read] = await client.requestAll([
    { command: Command.Write, payload: data },
    { command: Command.Read, length: BigInt(MEBIBYTE) },
  ]);
  assert.equal(write!.errno, 0);
  assert.equal(read!.errno, 0);
  assertSameBytes(await client.read(0, MEBIBYTE), data.subarray(0, MEBIBYTE));
});

Deno.test("a client that never reads its replies blocks nobody and is not buffered for", async () => {
  await using server = await TestServer.start(["--inflight-bytes=32M", "pattern", "1G"]);
  const before = server.memoryBytes();
  await using deaf = await server.client();
  const request = encodeRequest({ command: Command.Read, length: BigInt(MEBIBYTE) }, 2);
  const flood = concatenated(...Array.from({ length: 2000 }, () => request));
  const sending = deaf.send(flood).catch(() => {});
  await using client = await server.client();
  for (let i = 0; i < 20; i++) {
    const data = await within(client.read(i * MEBIBYTE, 65536), "a read", PROMPT_MS);
    assert.equal(new DataView(data.buffer).getBigUint64(8), BigInt(i * MEBIBYTE + 8));
  }
  const grown = server.memoryBytes() - before;
  assert.ok(grown < 64 * MEBIBYTE, `${grown} bytes more`);
  deaf.close();
  await sending;
});

Deno.test("a client that asks for the list a thousand times and never reads is not buffered for", async () => {
  await using server = await TestServer.start(["-e", "x".repeat(4000), "memory", "1M"]);
  const before = server.memoryBytes();
  await using deaf = await server.connect();
  await deaf.greet();
  const flood = concatenated(...Array.from({ length: 1000 }, () => encodeOption(Option.List)));
  const sending = deaf.send(flood).catch(() => {});
  await using client = await server.client({ exportName: "" });
  assert.equal((await client.read(0, 512)).length, 512);
  assert.ok(server.memoryBytes() - before < 16 * MEBIBYTE);
  deaf.close();
  await sending;
});

Deno.test("a client that floods the server with small requests leaves room for others", async () => {
  await using server = await TestServer.start(["memory", "64M"]);
  await using flooder = await server.client({ replies: Replies.Simple });
  const requests = Array.from({ length: 2000 }, (_, i) => ({
    command: Command.Read,
    offset: BigInt(i % 100 * 512),
    length: 512n,
  }));
  let stop = false;
  const flood = async () => {
    while (!stop) {
      for (const { errno } of await flooder.requestAll(requests)) assert.equal(errno, 0);
    }
  };
  const flooding = flood();
  flooding.catch(() => {});
  try {
    for (let i = 0; i < 5; i++) await assertPrompt(server);
  } finally {
    stop = true;
    await flooding;
  }
});

Deno.test("a client that floods the server with bad requests leaves room for others", async () => {
  await using server = await TestServer.start(["memory", "64M"]);
  await using flooder = await server.client();
  const requests = Array.from({ length: 20_000 }, () => ({ command: 99, offset: 1n << 60n }));
  const flooding = flooder.requestAll(requests);
  flooding.catch(() => {});
  for (let i = 0; i < 5; i++) await assertPrompt(server);
  for (const { errno } of await flooding) assert.equal(errno, 22);
});

/** A client that writes without end, on two connections. */
const WRITER = `
import nbd
handles = []
for i in range(2):
    h = nbd.NBD()
    h.connect_uri(uri)
    handles.append(h)
buffer = nbd.Buffer.from_bytearray(bytearray(b"w" * 1048576))
print("writing", flush=True)
while True:
    for index, h in enumerate(handles):
        while h.aio_in_flight() < 16:
            h.aio_pwrite(buffer, (index * 16 + h.aio_in_flight()) * 1048576)
        h.poll(0)
`;

Deno.test("a client that is killed in the middle of writes costs nobody anything", async () => {
  await using server = await TestServer.start(["memory", "64M"]);
  await using bystander = await server.client();
  await bystander.write(40 * MEBIBYTE, noise(MEBIBYTE));
  const before = server.memoryBytes();
  for (let round = 0; round < 3; round++) {
    const [program, ...args] = requires("nbdsh", "newer");
    const child = new Deno.Command(program!, {
      args: [...args, "-c", `uri = ${JSON.stringify(server.uri())}`, "-c", WRITER],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    // It writes for a moment: that is when it has to die.
    await new Promise((resolve) => setTimeout(resolve, 100));
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    assertSameBytes(await bystander.read(40 * MEBIBYTE, MEBIBYTE), noise(MEBIBYTE));
    await assertPrompt(server);
  }
  // Each byte is either as before or as written.
  const data = await bystander.read(0, MAXIMUM);
  const strange = data.findIndex((byte, at) => byte !== 0 && byte !== 0x77 && at >= 200_000);
  assert.equal(strange, -1);
  assert.ok(server.memoryBytes() - before < 200 * MEBIBYTE);
});

Deno.test("a server with clients that never listen stops within --drain-timeout", async () => {
  await using server = await TestServer.start(["--drain-timeout=500ms", "pattern", "1G"]);
  await using deaf = await server.client();
  const request = encodeRequest({ command: Command.Read, length: BigInt(MAXIMUM) }, 2);
  const sending = deaf.send(concatenated(request, request, request)).catch(() => {});
  await using half = await server.client();
  await half.send(partialWrite(MEBIBYTE, 1000));
  server.signal("SIGTERM");
  assert.equal((await server.ended(8000)).code, 0);
  deaf.close();
  await sending;
});

Deno.test("a second signal stops the server at once, with status 1", async () => {
  await using server = await TestServer.start(["--drain-timeout=60s", "pattern", "1G"]);
  await using deaf = await server.client();
  const request = encodeRequest({ command: Command.Read, length: BigInt(MAXIMUM) }, 2);
  const sending = deaf.send(concatenated(request, request, request)).catch(() => {});
  await deaf.take(1);
  server.signal("SIGTERM");
  await server.log.match(/stopping on SIGTERM/);
  server.signal("SIGTERM");
  assert.equal((await server.ended()).code, 1);
  assert.throws(() => Deno.lstatSync(server.socket), Deno.errors.NotFound);
  deaf.close();
  await sending;
});
