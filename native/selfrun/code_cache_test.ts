// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { Script } from "node:vm";
import { makeCodeCaches } from "./code_cache.ts";
import { asScript, MODULE_LINE } from "./loader.ts";

const PROGRAM = `${MODULE_LINE}
function inWorker() { self.postMessage(1); self.close(); }
function inMain() { Deno.exit(Number(Deno.args[0])); }
if (typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope) inWorker();
else new Worker(moduleUrl, { type: "module" }).onmessage = () => inMain();
`;

const make = (status: string) =>
  makeCodeCaches(asScript(PROGRAM), {
    runtime: Deno.execPath(),
    runtimeArguments: ["run", "--no-config", "--allow-all"],
    assets: "/nonexistent",
    args: [status],
    exercise: () => Promise.resolve(),
  });

Deno.test("V8 takes the code caches of both threads, but none of another V8", async () => {
  for (const [name, cache] of Object.entries(await make("0"))) {
    const rejected = (cachedData: Uint8Array) => {
      return new Script(asScript(PROGRAM), { cachedData, filename: name }).cachedDataRejected;
    };
    const foreign = cache.slice();
    // The version of V8, in a header of 32-bit words: magic number, version, source, flags.
    foreign[4]! ^= 1;
    assert.equal(rejected(foreign), true, name);
    assert.equal(rejected(cache), false, name);
  }
});

Deno.test("a program that fails is not cached", async () => {
  await assert.rejects(make("3"), /cannot run the program once/);
});
