// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { inspectConfig } from "./config/load.ts";
import { readFile } from "./files.ts";
import { readPolicy } from "./policy/files.ts";

Deno.test("a file that is too long is refused before it fills the memory", () => {
  const path = Deno.makeTempFileSync();
  Deno.truncateSync(path, 2 ** 40);
  const before = Deno.memoryUsage().rss;
  const read = (max: number) => () => readFile("plugin", path, max);
  assert.throws(read(1000), {
    message: `cannot read plugin "${path}": it has more than 1000 bytes`,
  });
  assert.throws(read(2 ** 20), /it has more than 1048576 bytes/);
  assert(Deno.memoryUsage().rss - before < 2 ** 26);
  Deno.writeTextFileSync(path, "x".repeat(1000));
  assert.equal(readFile("plugin", path, 1000).length, 1000);
  assert.throws(read(999), /it has more than 999 bytes/);
  Deno.removeSync(path);
});

Deno.test("a file without end is refused, and an empty one is read", () => {
  assert.throws(
    () => readFile("plugin", "/dev/zero", 100_000),
    { message: 'cannot read plugin "/dev/zero": it has more than 100000 bytes' },
  );
  assert.equal(readFile("plugin", "/dev/null", 1000).length, 0);
  assert.throws(() => readFile("plugin", "/", 1000), { message: /Is a directory$/ });
  assert.throws(() => readFile("plugin", "/nothing", 1000), {
    message: /No such file or directory$/,
  });
});

Deno.test("what people write is refused when it is far too long to be that", () => {
  const refused = (load: () => unknown) => assert.throws(load, /it has more than 4194304 bytes/);
  refused(() => inspectConfig("/dev/zero"));
  refused(() => readPolicy("/dev/zero"));
});
