// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { Leftovers } from "./leftovers.ts";
import type { Listener } from "./listeners.ts";
import { places } from "./places.ts";

async function placesOf(...listeners: Listener[]) {
  const leftovers = new Leftovers();
  const found = await places(listeners, leftovers, () => {});
  return { found, leftovers };
}

Deno.test("a socket path holds in any directory", async () => {
  const { found } = await placesOf(
    { kind: "unix", path: "./a.sock" },
    { kind: "unix", path: "/b.sock" },
    { kind: "unix", path: "@c" },
  );
  assert.deepEqual(found, [
    { kind: "unix", path: `${Deno.cwd()}/a.sock` },
    { kind: "unix", path: "/b.sock" },
    { kind: "unix", path: "@c" },
  ]);
});

Deno.test("a path that would become too long stays as it is", async () => {
  const path = "x".repeat(107);
  assert.deepEqual((await placesOf({ kind: "unix", path })).found, [{ kind: "unix", path }]);
});

Deno.test("a private socket is in a directory that only its owner can enter", async () => {
  const { found: [address], leftovers } = await placesOf({ kind: "private" });
  assert.ok(address?.kind === "unix");
  const directory = address.path.replace(/\/socket$/, "");
  assert.equal(Deno.statSync(directory).mode! & 0o777, 0o700);
  leftovers.remove();
  assert.throws(() => Deno.statSync(directory), Deno.errors.NotFound);
});

Deno.test("an inherited socket needs no place", async () => {
  assert.deepEqual((await placesOf({ kind: "fd", fd: 3 })).found, [{ kind: "fd", fd: 3 }]);
});
