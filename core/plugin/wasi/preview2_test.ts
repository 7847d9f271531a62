// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { NO_GRANTS } from "../grants.ts";
import { preview2 } from "./preview2.ts";
import { Surroundings } from "./surroundings.ts";

type Callable = (...values: unknown[]) => unknown;

/** A function of the empty world, and what was logged. */
function world(grants = NO_GRANTS) {
  const lines: string[] = [];
  const all = preview2(new Surroundings(grants, (level, text) => lines.push(`${level}: ${text}`)));
  const call = (name: string, method: string, ...values: unknown[]) => {
    return (all[name]![method] as Callable)(...values);
  };
  return { call, lines };
}

Deno.test("there is no environment, no directory and no terminal", () => {
  const { call } = world();
  assert.deepEqual(call("wasi:cli/environment", "getEnvironment"), []);
  assert.deepEqual(call("wasi:cli/environment", "getArguments"), []);
  assert.equal(call("wasi:cli/environment", "initialCwd"), undefined);
  assert.deepEqual(call("wasi:filesystem/preopens", "getDirectories"), []);
  assert.equal(call("wasi:cli/terminal-stdout", "getTerminalStdout"), undefined);
});

Deno.test("sockets are refused", () => {
  const { call } = world();
  const refused = { payload: "access-denied" };
  assert.throws(() => call("wasi:sockets/tcp-create-socket", "createTcpSocket", "ipv4"), refused);
  assert.throws(() => call("wasi:sockets/udp-create-socket", "createUdpSocket", "ipv6"), refused);
  assert.throws(() => call("wasi:sockets/ip-name-lookup", "resolveAddresses", {}, "a"), refused);
});

Deno.test("standard input is closed, and what is printed goes to the log", () => {
  const { call, lines } = world();
  const input = call("wasi:cli/stdin", "getStdin") as { read(length: bigint): void };
  assert.throws(() => input.read(1n), { payload: { tag: "closed" } });
  const bytes = new TextEncoder().encode("one\ntwo\n");
  for (const [name, method] of [["stdout", "getStdout"], ["stderr", "getStderr"]] as const) {
    const stream = call(`wasi:cli/${name}`, method) as { blockingWriteAndFlush: Callable };
    stream.blockingWriteAndFlush(bytes);
  }
  assert.deepEqual(lines, ["info: one", "info: two", "warning: one", "warning: two"]);
});

Deno.test("clocks and random numbers are the world's own unless they are granted", () => {
  const own = world();
  assert.equal(own.call("wasi:clocks/monotonic-clock", "now"), 1_000_001_000n);
  const wall = own.call("wasi:clocks/wall-clock", "now") as { seconds: bigint };
  assert.equal(wall.seconds, 1n);
  const real = world({ ...NO_GRANTS, clock: true, random: true });
  const now = real.call("wasi:clocks/wall-clock", "now") as { seconds: bigint };
  assert.ok(Math.abs(Number(now.seconds) - Date.now() / 1000) < 60);
  const random = (from: typeof own) => from.call("wasi:random/random", "getRandomU64");
  assert.equal(random(own), random(world()));
  assert.notEqual(random(real), random(real));
});

Deno.test("waiting takes no time", () => {
  const { call } = world();
  const hour = 3_600_000_000_000n;
  const timer = call("wasi:clocks/monotonic-clock", "subscribeDuration", hour);
  assert.deepEqual(call("wasi:io/poll", "poll", [timer]), Uint32Array.of(0));
  assert.ok((call("wasi:clocks/monotonic-clock", "now") as bigint) > hour);
});

Deno.test("exiting and asking for too much are traps", () => {
  const { call } = world();
  const trap = { name: "RuntimeError" };
  assert.throws(() => call("wasi:cli/exit", "exit", { tag: "ok" }), trap);
  assert.throws(() => call("wasi:random/random", "getRandomBytes", 2n ** 40n), trap);
});
