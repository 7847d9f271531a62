// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { Leftovers } from "./leftovers.ts";

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

Deno.test("directories and the pidfile are removed", () => {
  const directory = Deno.makeTempDirSync();
  const outside = Deno.makeTempFileSync();
  const leftovers = new Leftovers();
  leftovers.directory(directory);
  leftovers.pidfile(outside);
  assert.equal(Deno.readTextFileSync(outside), `${Deno.pid}\n`);
  leftovers.remove();
  assert.ok(!exists(directory));
  assert.ok(!exists(outside));
});

Deno.test("a pidfile that has become another process's is left alone", () => {
  const path = Deno.makeTempFileSync();
  const leftovers = new Leftovers();
  leftovers.pidfile(path);
  Deno.writeTextFileSync(path, "1\n");
  leftovers.remove();
  assert.ok(exists(path));
  Deno.removeSync(path);
});

Deno.test("socket files are removed only when the server cannot do it any more", () => {
  const path = Deno.makeTempFileSync();
  const leftovers = new Leftovers();
  leftovers.listener({ kind: "unix", path });
  leftovers.remove();
  assert.ok(exists(path));
  leftovers.removeAtOnce();
  assert.ok(!exists(path));
});

Deno.test("the name of an abstract socket is no file", () => {
  const directory = Deno.makeTempDirSync();
  const before = Deno.cwd();
  Deno.chdir(directory);
  Deno.writeTextFileSync("@name", "");
  const leftovers = new Leftovers();
  leftovers.listener({ kind: "unix", path: "@name" });
  leftovers.removeAtOnce();
  assert.ok(exists("@name"));
  Deno.chdir(before);
  Deno.removeSync(directory, { recursive: true });
});

Deno.test("what somebody else has removed is no error", () => {
  const leftovers = new Leftovers();
  leftovers.directory("/nonexistent/directory");
  leftovers.remove();
  leftovers.remove();
});
