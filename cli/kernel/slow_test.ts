// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { atMost, isAlive, tellIfSlow, until } from "./slow.ts";

const after = <T>(ms: number, value: T) =>
  new Promise<T>((resolve) => setTimeout(() => resolve(value), ms));

Deno.test("what takes long is told of, once, and what does not is not", async () => {
  const told: string[] = [];
  const tell = (text: string) => told.push(text);
  assert.equal(await tellIfSlow(after(0, 1), "nothing", tell, 2000), 1);
  assert.equal(await tellIfSlow(after(200, 2), "/dev/nbd0 to end", tell, 20), 2);
  assert.deepEqual(told, ["sandblock: waiting for /dev/nbd0 to end\n"]);
});

Deno.test("waiting ends with the refusal when the time is over", async () => {
  const never = new Promise<void>(() => {});
  await assert.rejects(atMost(never, 10, "too late"), /^Error: too late$/);
  assert.equal(await atMost(after(0, 3), 60_000, "too late"), 3);
  assert.equal(await atMost(after(10, 4), null, "too late"), 4);
});

Deno.test("a condition is asked for until it holds", async () => {
  let left = 3;
  await until(() => --left === 0);
  assert.equal(left, 0);
});

Deno.test("a process is alive until it has ended", async () => {
  assert.ok(isAlive(Deno.pid));
  const child = new Deno.Command("true").spawn();
  await child.status;
  assert.ok(!isAlive(child.pid));
});
