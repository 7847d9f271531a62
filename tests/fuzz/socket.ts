// SPDX-License-Identifier: MIT
// Sends mutated streams of clients to a real server over its socket, several at a time: it closes
// each connection in time, does not grow, and serves an honest client as ever.
//   deno run -A tests/fuzz/socket.ts [--streams N] [--seed S]

import assert from "node:assert/strict";
import { parseArgs } from "node:util";
import { within } from "../support/deadline.ts";
import { TestServer } from "../support/server.ts";
import { ByteBuffer } from "./byte_buffer.ts";
import { makeStream } from "./make_stream.ts";
import { mutate } from "./mutate.ts";
import { Random } from "./random.ts";

const STREAM_MAX = 32 * 1024;
const AT_A_TIME = 16;
/** Streams between two visits of the honest client. */
const ROUND = 250;
const HONEST_OFFSET = 512n * 1024n;
const NAMES = ["", "", "", "nope"];
/** Memory that the server may take after the first round and not give back. */
const GROWTH_BYTES_MAX = 64 * 1024 * 1024;

/** What to send. */
export interface SocketFuzzOptions {
  streams: number;
  seed: number;
}

/** Fuzzes a server of its own. Throws Error where the server does something wrong. */
export async function fuzzSocket({ streams, seed }: SocketFuzzOptions): Promise<void> {
  const start = performance.now();
  await using server = await TestServer.start(["memory", "1M"]);
  await visit(server, 0);
  let memory = 0;
  let received = 0;
  for (let first = 0; first < streams; first += ROUND) {
    const count = Math.min(ROUND, streams - first);
    received += await runRound(server, seed, first, count);
    await visit(server, first + count);
    memory ||= server.memoryBytes();
  }
  const grown = server.memoryBytes() - memory;
  assert.ok(grown < GROWTH_BYTES_MAX, `the server has grown by ${grown} bytes`);
  const seconds = (performance.now() - start) / 1000;
  console.log(
    `fuzz: ${streams} streams of seed ${seed} over a socket in ${seconds.toFixed(1)} s, ` +
      `${received} bytes came back`,
  );
}

/** Runs some streams; returns how many bytes the server has sent. */
async function runRound(server: TestServer, seed: number, first: number, count: number) {
  let next = first;
  let received = 0;
  const workers = Array.from({ length: AT_A_TIME }, async () => {
    while (next < first + count) {
      const index = next++;
      try {
        // Not `received += await`: that would add to what it was before the wait.
        const length = await runStream(server, seed, index);
        received += length;
      } catch (error) {
        throw new Error(`stream ${index} of seed ${seed}: ${(error as Error).message}`);
      }
    }
  });
  await Promise.all(workers);
  return received;
}

async function runStream(server: TestServer, seed: number, index: number): Promise<number> {
  const random = new Random(seed, index);
  const stream = new ByteBuffer(STREAM_MAX);
  const other = new ByteBuffer(STREAM_MAX);
  makeStream(random, stream, NAMES);
  makeStream(random, other, NAMES);
  mutate(stream, other, random);
  using connection = await Deno.connect({ transport: "unix", path: server.socket });
  const rude = random.once(4);
  const received = rude ? null : readToEnd(connection);
  try {
    await sendInPieces(connection, stream.bytes.subarray(0, stream.length), random);
    if (!rude) await connection.closeWrite();
  } catch (error) {
    // The server may well have closed by now.
    if (!isGone(error)) throw error;
  }
  return received === null ? 0 : await within(received, "the server to close the connection");
}

async function sendInPieces(connection: Deno.Conn, bytes: Uint8Array, random: Random) {
  const longest = random.pick([20, 1000, STREAM_MAX, STREAM_MAX]);
  for (let at = 0; at < bytes.length;) {
    const length = longest === STREAM_MAX ? bytes.length : 1 + random.below(longest);
    at += await connection.write(bytes.subarray(at, at + length));
  }
}

/** Reads until the server closes; returns how many bytes came. */
async function readToEnd(connection: Deno.Conn): Promise<number> {
  const buffer = new Uint8Array(65536);
  let received = 0;
  try {
    for (let length; (length = await connection.read(buffer)) !== null;) received += length;
  } catch (error) {
    if (!isGone(error)) throw error;
  }
  return received;
}

function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.NotConnected;
}

/** An honest client: what it writes is what it reads. */
async function visit(server: TestServer, round: number): Promise<void> {
  await using client = await server.client();
  const payload = new Uint8Array(4096).fill(round + 1);
  assert.equal(await client.write(HONEST_OFFSET, payload), 0);
  assert.deepEqual(await client.read(HONEST_OFFSET, payload.length), payload);
}

if (import.meta.main) {
  const text = { type: "string" } as const;
  const options = { streams: { ...text, default: "5000" }, seed: { ...text, default: "1" } };
  const { values } = parseArgs({ options });
  await fuzzSocket({ streams: Number(values.streams), seed: Number(values.seed) });
}
