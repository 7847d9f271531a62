// SPDX-License-Identifier: MIT
// fio's nbd engine: many requests at a time, each block checked by the sum that it carries.

import assert from "node:assert/strict";
import { run } from "../support/command.ts";
import { TestDirectory } from "../support/directory.ts";
import { requires } from "../support/peers.ts";
import { TestServer } from "../support/server.ts";

const MEBIBYTE = 1024 * 1024;
const VERIFY = ["--verify=crc32c", "--verify_fatal=1", "--verify_backlog=64"];

async function fio(server: TestServer, ...args: string[]): Promise<void> {
  using directory = new TestDirectory();
  const command = [
    ...requires("fio"),
    "--name=test",
    "--ioengine=nbd",
    `--uri=${server.uri()}`,
    "--randseed=42",
    "--output-format=json",
    ...args,
  ];
  const { code, stdout, stderr } = await run(command, { cwd: directory.path });
  assert.equal(code, 0, stdout + stderr);
  const { jobs } = JSON.parse(stdout.slice(stdout.indexOf("{")));
  for (const job of jobs) assert.equal(job.error, 0);
  assert.ok(jobs.length > 0);
}

for (const device of ["memory", "file"]) {
  const serve = (directory: TestDirectory) =>
    TestServer.start(
      device === "memory" ? ["memory", "64M"] : ["file", directory.sparse("disk", 64 * MEBIBYTE)],
    );

  Deno.test(`fio writes and verifies blocks of all sizes, ${device}`, async () => {
    using directory = new TestDirectory();
    await using server = await serve(directory);
    const sizes = ["--bsrange=512-256k", "--bs_unaligned=0", "--size=48M"];
    await fio(server, "--rw=randwrite", ...sizes, "--iodepth=16", ...VERIFY);
  });

  Deno.test(`fio reads and writes at random and verifies, ${device}`, async () => {
    using directory = new TestDirectory();
    await using server = await serve(directory);
    await fio(server, "--rw=randrw", "--bs=4k", "--size=24M", "--iodepth=64", ...VERIFY);
  });

  Deno.test(`fio verifies over four connections at a time, ${device}`, async () => {
    using directory = new TestDirectory();
    await using server = await serve(directory);
    const jobs = ["--numjobs=4", "--offset_increment=16M", "--size=8M"];
    await fio(server, "--rw=randwrite", "--bs=16k", "--iodepth=8", ...jobs, ...VERIFY);
  });

  Deno.test(`fio trims and writes in turn and verifies, ${device}`, async () => {
    using directory = new TestDirectory();
    await using server = await serve(directory);
    // One at a time: fio does not wait for the trim before it writes to the same place.
    await fio(server, "--rw=trimwrite", "--bs=64k", "--size=16M", "--iodepth=1", ...VERIFY);
  });
}
