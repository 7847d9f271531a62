// SPDX-License-Identifier: MIT
// Bounds on what clients can take: time for the handshake, connections, memory of connections.

import assert from "node:assert/strict";
import { encodeOption } from "../../core/nbd/client.ts";
import { Option } from "../../core/nbd/wire.ts";
import { until, within } from "../support/deadline.ts";
import { TestServer } from "../support/server.ts";
import type { WireClient } from "../support/wire_client.ts";
import { assertPrompt } from "./good_client.ts";

const MEBIBYTE = 1024 * 1024;

Deno.test("half a handshake and silence blocks nobody and ends after --handshake-timeout", async () => {
  await using server = await TestServer.start(["--handshake-timeout=500ms", "memory", "64M"]);
  await using established = await server.client();
  const silent = await server.connect();
  const flags = await server.connect();
  await flags.greet();
  const option = await server.connect();
  await option.greet();
  await option.send(encodeOption(Option.Go, new Uint8Array(10), 100));
  await assertPrompt(server);
  await silent.take(18);
  for (const client of [silent, flags, option]) {
    await client.closed();
    client.close();
  }
  // Who has finished the handshake has all the time in the world.
  assert.equal((await established.read(0, 512)).length, 512);
});

Deno.test("a client that keeps haggling is closed after --handshake-timeout, too", async () => {
  await using server = await TestServer.start(["--handshake-timeout=500ms", "memory", "64M"]);
  await using client = await server.connect();
  await client.greet();
  const haggle = async () => {
    while (true) {
      await client.option(Option.List);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  await assert.rejects(within(haggle(), "the end of it"), /closed|Broken pipe|reset/);
});

Deno.test("beyond --max-connections clients wait until another one leaves", async () => {
  await using server = await TestServer.start(["--max-connections=3", "memory", "64M"]);
  const clients = [await server.client(), await server.client(), await server.connect()];
  await clients[2]!.take(18);
  await using fourth = await server.connect();
  let greeted = false;
  const greeting = fourth.take(18).then(() => greeted = true);
  // The others are served meanwhile; if the fourth were too, it would be greeted by now.
  for (let i = 0; i < 20; i++) await clients[0]!.read(0, 512);
  assert.equal(greeted, false);
  await clients[1]!.leave();
  await greeting;
  for (const client of clients) client.close();
});

Deno.test("a thousand idle connections take less than 60 MB and cost nobody time", async () => {
  await using server = await TestServer.start(["memory", "64M"]);
  await assertPrompt(server);
  const before = server.memoryBytes();
  const clients: WireClient[] = [];
  try {
    for (let i = 0; i < 50; i++) {
      clients.push(...await Promise.all(Array.from({ length: 20 }, () => server.client())));
    }
    for (const client of clients) await client.read(0, 4096);
    const each = (server.memoryBytes() - before) / clients.length;
    assert.ok(each < 60_000, `${each} bytes each`);
    await assertPrompt(server);
  } finally {
    for (const client of clients) client.close();
  }
  await assertPrompt(server);
});

Deno.test("connections that come and go leave nothing behind", async () => {
  await using server = await TestServer.start(["memory", "64M"]);
  const round = async () => {
    for (let i = 0; i < 400; i++) {
      await using client = await server.client();
      await client.read(0, 4096);
    }
  };
  await round();
  const descriptors = () => [...Deno.readDirSync(`/proc/${server.pid}/fd`)].length;
  const [memory, open] = [server.memoryBytes(), descriptors()];
  for (let i = 0; i < 3; i++) await round();
  await until(() => descriptors() <= open + 1, "the last descriptors to be closed");
  const grown = server.memoryBytes() - memory;
  // The engine makes room for young objects meanwhile, up to some bound.
  assert.ok(grown < 20 * MEBIBYTE, `${grown} bytes more`);
});
