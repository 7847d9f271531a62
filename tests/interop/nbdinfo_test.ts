// SPDX-License-Identifier: MIT
// What nbdinfo of libnbd finds out about exports.

import assert from "node:assert/strict";
import { output, run } from "../support/command.ts";
import { TestDirectory } from "../support/directory.ts";
import { GENERATIONS, requires } from "../support/peers.ts";
import { sandblock } from "../support/program.ts";
import { TestServer } from "../support/server.ts";

const MEBIBYTE = 1024 * 1024;

/** Questions of nbdinfo that a server with the memory plugin says yes to. */
const YES = ["cache", "connect", "df", "fast-zero", "flush", "fua", "multi-conn"];
const YES_TOO = ["structured-reply", "read", "trim", "write", "zero"];

for (const which of GENERATIONS) {
  Deno.test(`nbdinfo, ${which}, tells all about an export in JSON`, async () => {
    const nbdinfo = requires("nbdinfo", which);
    await using server = await TestServer.start(["-e", "disk", "memory", "1M"]);
    const text = await output([...nbdinfo, "--json", server.uri("disk")]);
    const { exports: [disk], ...about } = JSON.parse(text);
    assert.equal(about.protocol, "newstyle-fixed");
    assert.equal(about.TLS, false);
    assert.equal(disk["export-name"], "disk");
    assert.equal(disk["export-size"], MEBIBYTE);
    assert.equal(disk.is_read_only, false);
    for (const name of ["flush", "fua", "trim", "zero", "fast_zero", "df", "multi_conn"]) {
      assert.equal(disk[`can_${name}`], true, name);
    }
    assert.equal(disk.block_size_minimum, 1);
    assert.equal(disk.block_size_maximum, 32 * MEBIBYTE);
    assert.deepEqual(disk.contexts, ["base:allocation"]);
  });

  Deno.test(`nbdinfo, ${which}, gets the answers to its questions`, async () => {
    const nbdinfo = requires("nbdinfo", which);
    await using server = await TestServer.start(["memory", "1M"]);
    const ask = async (question: string, uri: string) => {
      return (await run([...nbdinfo, ...question.split(" "), uri])).code;
    };
    for (const name of [...YES, ...YES_TOO]) {
      assert.equal(await ask(`--can ${name}`, server.uri()), 0, name);
    }
    for (const name of ["read-only", "rotational", "tls"]) {
      assert.equal(await ask(`--is ${name}`, server.uri()), 2, name);
    }
    if (which === "newer") {
      assert.equal(await ask("--has extended-headers", server.uri()), 0);
    }
    await using readOnly = await TestServer.start(["-r", "memory", "1M"]);
    assert.equal(await ask("--is read-only", readOnly.uri()), 0);
    for (const name of ["write", "trim", "zero", "fast-zero"]) {
      assert.equal(await ask(`--can ${name}`, readOnly.uri()), 2, name);
    }
  });

  Deno.test(`nbdinfo, ${which}, prints the size to the byte`, async () => {
    const nbdinfo = requires("nbdinfo", which);
    for (const size of ["0", "1", "1000003", "9223372036854775807"]) {
      await using server = await TestServer.start(["pattern", size]);
      assert.equal(await output([...nbdinfo, "--size", server.uri()]), `${size}\n`);
    }
  });

  Deno.test(`nbdinfo, ${which}, lists every file of a directory, odd names too`, async () => {
    const nbdinfo = requires("nbdinfo", which);
    using directory = new TestDirectory();
    const sizes: Record<string, number> = {
      "plain": 512,
      "with space": 1024,
      "grüße": 1536,
      "50% & more?": 2048,
      "a=b#c": 2560,
      "日本": 3072,
    };
    for (const [name, size] of Object.entries(sizes)) directory.sparse(name, size);
    await using server = await TestServer.start(["file", `dir=${directory.path}`]);
    const text = await output([...nbdinfo, "--json", "--list", server.uri()]);
    const found: Record<string, unknown>[] = JSON.parse(text).exports;
    const actual = found.map((each) => [each["export-name"], each["export-size"]]);
    assert.deepEqual(Object.fromEntries(actual), sizes);
    // Each by its own address, too.
    for (const [name, size] of Object.entries(sizes)) {
      assert.equal(await output([...nbdinfo, "--size", server.uri(name)]), `${size}\n`);
    }
  });

  Deno.test(`nbdinfo, ${which}, maps data and holes of a file`, async () => {
    const nbdinfo = requires("nbdinfo", which);
    using directory = new TestDirectory("/dev/shm");
    const path = directory.sparse("disk", 4 * MEBIBYTE);
    {
      using file = Deno.openSync(path, { write: true });
      file.seekSync(MEBIBYTE, Deno.SeekMode.Start);
      file.writeSync(new Uint8Array(65536).fill(1));
    }
    await using server = await TestServer.start(["file", path]);
    const text = await output([...nbdinfo, "--map", "--json", server.uri()]);
    const extents: { offset: number; length: number; type: number }[] = JSON.parse(text);
    assert.deepEqual(extents.map(({ offset, length, type }) => [offset, length, type]), [
      [0, MEBIBYTE, 3],
      [MEBIBYTE, 65536, 0],
      [MEBIBYTE + 65536, 3 * MEBIBYTE - 65536, 3],
    ]);
  });

  Deno.test(`nbdinfo, ${which}, starts the server itself, by socket activation`, async () => {
    const nbdinfo = requires("nbdinfo", which);
    const text = await output([
      ...nbdinfo,
      "--size",
      "[",
      ...sandblock(),
      "serve",
      "memory",
      "7M",
      "]",
    ]);
    assert.equal(text, `${7 * MEBIBYTE}\n`);
  });

  Deno.test(`nbdinfo, ${which}, says what the server said where an export is unknown`, async () => {
    const nbdinfo = requires("nbdinfo", which);
    await using server = await TestServer.start(["-e", "disk", "memory", "1M"]);
    const { code, stderr } = await run([...nbdinfo, server.uri("disc")]);
    assert.equal(code, 1);
    assert.match(stderr, /disc/);
  });
}

Deno.test("newer libnbd uses extended packets, the installed one structured ones", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  const words = { installed: /using structured packets/, newer: /using extended packets/ };
  for (const which of GENERATIONS) {
    assert.match(await output([...requires("nbdinfo", which), server.uri()]), words[which]);
  }
});

Deno.test("newer nbdinfo maps a terabyte with 64-bit extents", async () => {
  await using server = await TestServer.start(["memory", "1T"]);
  const text = await output([...requires("nbdinfo", "newer"), "--map", server.uri()]);
  assert.match(text, /^\s+0\s+1099511627776\s+3\s+hole,zero\n$/);
});
