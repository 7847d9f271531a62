// SPDX-License-Identifier: MIT
// parity with real clients, and with a server that is killed while they write.

import assert from "node:assert/strict";
import { compilePlugin } from "../../wasm-plugins/build.ts";
import { assertParity } from "../../wasm-plugins/parity/test_array.ts";
import { breakDevice, Fuse, FUSE_BYTES } from "../../wasm-plugins/test_nodes.ts";
import { assertSameBytes, noise } from "../support/bytes.ts";
import { output, run, succeed } from "../support/command.ts";
import { PATIENCE_MS } from "../support/deadline.ts";
import { TestDirectory } from "../support/directory.ts";
import { requires } from "../support/peers.ts";
import { TestServer } from "../support/server.ts";

const MEBIBYTE = 1024 * 1024;
const JOURNAL = 2 * MEBIBYTE;
const CHUNK = 65536;
/** Of each device, for a disk of 8 MiB on three. */
const DEVICE_BYTES = 65536 + JOURNAL + 4 * MEBIBYTE;
const CREATE = ["create=true", "chunk=64K", "journal=2M"];

/** Arguments for an array of files. */
function array(paths: string[], ...parameters: string[]): string[] {
  return ["-v", "parity", ...parameters, ...paths.flatMap((path) => ["[", "file", path, "]"])];
}

function devices(directory: TestDirectory): string[] {
  return ["a.img", "b.img", "c.img"].map((name) => directory.sparse(name, DEVICE_BYTES));
}

async function contents(server: TestServer): Promise<Uint8Array> {
  return (await succeed([...requires("nbdcopy", "newer"), server.uri(), "-"])).bytes;
}

Deno.test("parity: written, degraded, rebuilt, each by another server", async () => {
  using directory = new TestDirectory();
  const paths = devices(directory);
  const bytes = noise(8 * MEBIBYTE, 1);
  const source = directory.write("source.img", bytes);
  const nbdcopy = requires("nbdcopy", "newer");
  {
    await using server = await TestServer.start(array(paths, ...CREATE));
    await succeed([...nbdcopy, source, server.uri()]);
    assertSameBytes(await contents(server), bytes);
    await server.log.match(/device 2 is rebuilt/);
  }
  assertParity(paths.map((path) => Deno.readFileSync(path)), JOURNAL, CHUNK);
  Deno.writeFileSync(paths[0]!, new Uint8Array(DEVICE_BYTES));
  {
    await using server = await TestServer.start(array(paths));
    assertSameBytes(await contents(server), bytes);
    assert.match(server.log.text, /device 0 is missing or out of date; rebuild=0/);
    assert(!/repeated/.test(server.log.text), "it was stopped in good order");
    bytes.fill(0x61, 100_000, 3_000_000);
    await output([...requires("nbdsh"), "-u", server.uri(), "-c", "-"], {
      input: `h.pwrite(b"a" * 2900000, 100000, nbd.CMD_FLAG_FUA)`,
    });
  }
  {
    await using server = await TestServer.start(array(paths, "rebuild=0"));
    await server.log.match(/device 0 is rebuilt/);
    assertSameBytes(await contents(server), bytes);
  }
  assertParity(paths.map((path) => Deno.readFileSync(path)), JOURNAL, CHUNK);
});

Deno.test("parity: fio verifies what it has written while a device fails", async () => {
  using directory = new TestDirectory();
  const fuse = directory.write("fuse.wasm", await compilePlugin("lib/test-fuse"));
  const paths = devices(directory);
  for (const path of paths) Deno.truncateSync(path, DEVICE_BYTES + FUSE_BYTES);
  const children = paths.flatMap((path) => ["[", fuse, "[", "file", path, "]", "]"]);
  await using server = await TestServer.start(["-v", "parity", ...CREATE, ...children]);
  await server.log.match(/device 2 is rebuilt/);
  const fio = succeed([
    ...requires("fio"),
    "--name=verify",
    "--ioengine=nbd",
    `--uri=${server.uri()}`,
    "--rw=randrw",
    "--bsrange=4k-300k",
    "--iodepth=8",
    "--size=8M",
    "--io_size=24M",
    "--verify=crc32c",
    "--verify_state_save=0",
    "--verify_backlog=20",
  ]);
  breakDevice(paths[1]!, Fuse.All);
  await fio;
  await server.log.match(/device 1 is left out from now on/);
});

/** Writes numbers that count up to blocks at random, and notes in a file what is under way and what is done. */
function writer(log: string, seed: number): string {
  return `
import random
random.seed(${seed})
log = open(${JSON.stringify(log)}, "w", buffering=1)
blocks = h.get_size() // 4096
number = ${seed} * 1000000
while True:
    number += 1
    at = random.randrange(0, blocks)
    length = min(random.choice([1, 1, 3, 20]), blocks - at)
    print("begin", number, at, length, file=log)
    h.pwrite(number.to_bytes(8, "little") * (512 * length), at * 4096)
    print("done", number, file=log)
`;
}

/** Has a client write until it has got somewhere, and kills the server. Returns what the client has noted. */
async function killWhileWriting(server: TestServer, log: string, seed: number): Promise<string> {
  const args = [...requires("nbdsh"), "-u", server.uri(), "-c", "-"];
  const client = run(args, { input: writer(log, seed) });
  const deadline = performance.now() + PATIENCE_MS;
  while ((await Deno.readTextFile(log).catch(() => "")).length < 2000) {
    assert(performance.now() < deadline, "the client does not get on");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  server.signal("SIGKILL");
  await client;
  await server.ended();
  return Deno.readTextFileSync(log);
}

Deno.test("parity: a killed server loses nothing that was acknowledged, nor does a device with it", async () => {
  using directory = new TestDirectory();
  const paths = devices(directory);
  {
    await using server = await TestServer.start(array(paths, ...CREATE));
    await server.log.match(/device 2 is rebuilt/);
  }
  // What each block holds: the number of the last write that was acknowledged, or of the one under way.
  const known = new Map<number, number[]>();
  for (let round = 0; round < 3; round++) {
    const server = await TestServer.start(array(paths, `rebuild=${(round + 2) % 3}`));
    if (round > 0) await server.log.match(/is rebuilt/);
    noteWrites(await killWhileWriting(server, directory.file("log"), round + 1), known);
    // With it goes a device.
    Deno.writeFileSync(paths[round % 3]!, new Uint8Array(DEVICE_BYTES));
    await checkNumbers(paths, known, round);
    Deno.removeSync(directory.file("log"));
  }
});

function noteWrites(log: string, known: Map<number, number[]>): void {
  const done = new Set([...log.matchAll(/^done (\d+)$/gm)].map(([, number]) => number));
  for (const [, number, at, length] of log.matchAll(/^begin (\d+) (\d+) (\d+)$/gm)) {
    for (let block = Number(at); block < Number(at) + Number(length); block++) {
      const before = done.has(number) ? [] : known.get(block) ?? [0];
      known.set(block, [...before, Number(number)]);
    }
  }
}

/** Compares the disk with what is known, and makes what it holds what is known. */
async function checkNumbers(
  paths: string[],
  known: Map<number, number[]>,
  round: number,
): Promise<void> {
  const server = await TestServer.start(array(paths));
  try {
    const bytes = await contents(server);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    for (const [block, numbers] of known) {
      const found = Number(view.getBigUint64(block * 4096, true));
      assert(numbers.includes(found), `round ${round}, block ${block}: ${found}, not ${numbers}`);
      for (let at = 8; at < 4096; at += 8) {
        assert.equal(Number(view.getBigUint64(block * 4096 + at, true)), found, "a block is whole");
      }
      known.set(block, [found]);
    }
  } finally {
    await server.stop();
  }
}
