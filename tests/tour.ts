// SPDX-License-Identifier: MIT
// A tour of the built executable: serves a disk through a wasm plugin, uses it as a client, checks
// every byte, and says in plain words what happened. Exit status 1 when anything is not as it should be.

import { timingSafeEqual } from "node:crypto";
import { Command, ExtentFlag } from "../core/block/request.ts";
import type { StatusExtent } from "../core/nbd/client.ts";
import { Replies } from "../core/nbd/wire.ts";
import { sandblock } from "./support/program.ts";
import { run } from "./support/command.ts";
import { TestServer } from "./support/server.ts";
import type { Agreement, WireClient } from "./support/wire_client.ts";

const MIB = 1024 * 1024;
const SIZE = 1024 * MIB;
const AT = 512 * MIB;
const LENGTH = MIB;
/** Enough for any of the replies to say "hole" in one piece. */
const EMPTY_LENGTH = 16 * MIB;

const REPLIES = {
  [Replies.Simple]: "simple replies",
  [Replies.Structured]: "structured replies",
  [Replies.Extended]: "extended headers, so lengths have 64 bits",
};

async function tour(): Promise<void> {
  console.log("\nA disk of 1 GiB in memory, made by a WebAssembly plugin, served over NBD.\n");
  const [program] = sandblock();
  const start = performance.now();
  await using server = await TestServer.start(["memory", "1G"]);
  const startMs = Math.round(performance.now() - start);
  say("serve", `${relative(program!)} serve memory 1G: process ${server.pid}, after ${startMs} ms`);

  await using client = await server.connect();
  const agreement = await client.negotiate({ contexts: ["base:allocation"] });
  sayHandshake(agreement);
  await readEmpty(client);
  await writeAndReadBack(client);
  await blockStatus(client);
  await trim(client);
  await refuse(client);
  await askNbdinfo(server);
  await client.leave();
  const { code } = await server.stop();
  expect(code === 0, `the server ended with ${code}`);
  say("stop", "SIGTERM: everything was answered, exit status 0");
}

function sayHandshake({ size, replies }: Agreement): void {
  expect(size === BigInt(SIZE), `the disk has ${size} bytes`);
  say("connect", `the client sees ${inMib(size)}; agreed on ${REPLIES[replies]}`);
}

async function readEmpty(client: WireClient): Promise<void> {
  const request = { command: Command.Read, offset: 0n, length: BigInt(EMPTY_LENGTH) };
  const answer = await client.request(request);
  expect(answer.errno === 0 && answer.data().every((byte) => byte === 0), "it is not empty");
  const sent = answer.content().filter(({ hole }) => !hole)
    .reduce((total, { length }) => total + length, 0n);
  say("read", `${inMib(EMPTY_LENGTH)} that nobody has written: a hole; ${sent} bytes were sent`);
}

async function writeAndReadBack(client: WireClient): Promise<void> {
  const written = new Uint8Array(LENGTH);
  for (let at = 0; at < LENGTH; at += 65536) {
    crypto.getRandomValues(written.subarray(at, at + 65536));
  }
  expect(await client.write(AT, written) === 0, "the write failed");
  expect(await client.perform(Command.Flush) === 0, "the flush failed");
  say("write", `${inMib(LENGTH)} of random bytes at ${inMib(AT)}, then flush`);
  const back = await client.read(AT, LENGTH);
  expect(timingSafeEqual(written, back), "other bytes came back than were written");
  say("read back", `all ${LENGTH} bytes are the same`);
}

async function blockStatus(client: WireClient): Promise<void> {
  const extents = await statusOfAll(client);
  const found = extents.map(({ length, flags }) => `${length}:${flags}`).join(" ");
  const hole = ExtentFlag.Hole | ExtentFlag.Zero;
  const after = SIZE - AT - LENGTH;
  expect(found === `${AT}:${hole} ${LENGTH}:0 ${after}:${hole}`, `block status says ${found}`);
  const words = extents.map(({ length, flags }) => `${inMib(length)} ${flags ? "hole" : "data"}`);
  say("status", words.join(", "));
}

async function trim(client: WireClient): Promise<void> {
  const status = await client.perform(Command.Trim, BigInt(AT), BigInt(LENGTH));
  expect(status === 0, "the trim failed");
  const extents = await statusOfAll(client);
  expect(extents.length === 1 && extents[0]!.flags !== 0n, "something is left after the trim");
  const back = await client.read(AT, LENGTH);
  expect(back.every((byte) => byte === 0), "trimmed bytes are not zero");
  say("trim", "the same place: zeroes again, and the disk is one hole");
}

async function refuse(client: WireClient): Promise<void> {
  const errno = await client.write(SIZE, new Uint8Array(512));
  expect(errno !== 0, "a write beyond the end succeeded");
  expect((await client.read(0, 512)).length === 512, "the connection is out of step");
  say("refuse", `a write beyond the end: errno ${errno} (ENOSPC), and the connection goes on`);
}

/** A client that is not ours, where it is installed. */
async function askNbdinfo(server: TestServer): Promise<void> {
  try {
    const { code, stdout, stderr } = await run(["nbdinfo", "--size", server.uri()]);
    expect(code === 0 && stdout.trim() === `${SIZE}`, `nbdinfo says ${stdout}${stderr}`);
    say("nbdinfo", `--size "${server.uri()}": ${stdout.trim()}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    say("nbdinfo", "not installed (Debian: libnbd-bin), so not asked");
  }
}

async function statusOfAll(client: WireClient): Promise<StatusExtent[]> {
  const request = { command: Command.BlockStatus, offset: 0n, length: BigInt(SIZE) };
  const answer = await client.request(request);
  expect(answer.errno === 0, `block status failed: ${answer.errno}`);
  const [extents] = answer.extents.values();
  return extents!;
}

function say(what: string, words: string): void {
  console.log(`  ${what.padEnd(10)} ${words}`);
}

function inMib(bytes: number | bigint): string {
  return `${Number(bytes) / MIB} MiB`;
}

function relative(path: string): string {
  return path.replace(`${Deno.cwd()}/`, "");
}

function expect(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Error(otherwise);
}

try {
  await tour();
  console.log("\nAll of it is as it should be. Now yours:  dist/sandblock serve memory 1G\n");
} catch (error) {
  console.error(`tour: error: ${(error as Error).message}`);
  Deno.exit(1);
}
