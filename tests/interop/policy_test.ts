// SPDX-License-Identifier: MIT
// A policy in a running server: what it refuses, whom it disconnects, and that it can be replaced
// while clients stay.

import assert from "node:assert/strict";
import { Command } from "../../core/block/request.ts";
import { Replies } from "../../core/nbd/wire.ts";
import { noise } from "../support/bytes.ts";
import { TestServer } from "../support/server.ts";

const EPERM = 1;
const ENOSPC = 28;
const data = noise(4096);

/** A file with a policy, removed at the end. */
function policyFile(rules: string) {
  const path = Deno.makeTempFileSync({ suffix: ".policy" });
  Deno.writeTextFileSync(path, rules);
  return { path, [Symbol.dispose]: () => Deno.removeSync(path) };
}

for (const [name, replies] of Object.entries(Replies)) {
  Deno.test(`what the policy refuses fails, and the connection stays in step, ${name}`, async () => {
    using file = policyFile(
      "default errno EPERM\nallow read\nallow write if range in 64K..128K\nerrno ENOSPC trim\n",
    );
    await using server = await TestServer.start(["--policy", file.path, "memory", "1M"]);
    await using client = await server.client({ replies });
    assert.equal(await client.write(65536, data), 0);
    assert.equal(await client.write(65536 - 1, data), EPERM);
    assert.equal(await client.write(131072 - 4096, data), 0);
    assert.equal(await client.write(131072 - 4095, data), EPERM);
    assert.equal(await client.perform(Command.Trim, 0n, 4096n), ENOSPC);
    assert.equal(await client.perform(Command.Flush), EPERM);
    assert.deepEqual(await client.read(65536, 4096), data);
    assert.deepEqual(await client.read(65536 - 4096, 4096), new Uint8Array(4096));
  });
}

Deno.test("kill closes the connection after the answers to what came before", async () => {
  using file = policyFile("default allow\nkill trim\n");
  await using server = await TestServer.start(["--policy", file.path, "memory", "1M"]);
  await using client = await server.client();
  await using other = await server.client();
  assert.equal(await client.write(0, data), 0);
  await client.post({ command: Command.Trim, offset: 0n, length: 4096n });
  await client.closed();
  assert.deepEqual(await other.read(0, 4096), data);
  await server.log.match(/closed by the rule in line 2: TRIM of 4096 bytes at 0/);
});

Deno.test("log writes a line and goes on", async () => {
  using file = policyFile("default errno EPERM\nlog write if length > 1K\nallow write\n");
  await using server = await TestServer.start(["--policy", file.path, "memory", "1M"]);
  await using client = await server.client();
  assert.equal(await client.write(8192, data), 0);
  await server.log.match(/uid=\d+.*: the rule in line 2: WRITE of 4096 bytes at 8192: allowed/);
});

Deno.test("SIGHUP reads the policy again, for clients that are connected too", async () => {
  using file = policyFile("default allow\nerrno ENOSPC write\n");
  await using server = await TestServer.start(["--policy", file.path, "memory", "1M"]);
  await using client = await server.client();
  assert.equal(await client.write(0, data), ENOSPC);
  Deno.writeTextFileSync(file.path, "default allow\nerrno EPERM trim\n");
  server.signal("SIGHUP");
  await server.log.match(/was read again/);
  while (await client.write(0, data) !== 0);
  assert.equal(await client.perform(Command.Trim, 0n, 4096n), EPERM);
  await using late = await server.client();
  assert.equal(await late.perform(Command.Trim, 0n, 4096n), EPERM);
});

Deno.test("SIGHUP replaces the policy of an export that clients know by another name", async () => {
  using file = policyFile('default allow\nerrno ENOSPC write if export == "disk"\n');
  await using server = await TestServer.start([
    ...["-e", "disk", "--policy", file.path, "memory", "1M"],
  ]);
  await using client = await server.client({ exportName: "disk" });
  assert.equal(await client.write(0, data), ENOSPC);
  Deno.writeTextFileSync(file.path, "default allow\n");
  server.signal("SIGHUP");
  await server.log.match(/was read again/);
  for (let tries = 0; tries < 1000 && await client.write(0, data) !== 0; tries++);
  assert.equal(await client.write(0, data), 0);
});

Deno.test("a policy with errors leaves the one that is in force", async () => {
  using file = policyFile("default allow\nerrno ENOSPC write\n");
  await using server = await TestServer.start(["--policy", file.path, "memory", "1M"]);
  await using client = await server.client();
  Deno.writeTextFileSync(file.path, "default allow\nerrno ENOSPC wirte\n");
  server.signal("SIGHUP");
  await server.log.match(/stays as it was: .*line 2, column 14: "wirte" is not a command/);

  assert.equal(await client.write(0, data), ENOSPC);
});

Deno.test("a server does not start with a policy that is wrong", async () => {
  using file = policyFile("allow read\n");
  await assert.rejects(
    TestServer.start(["--policy", file.path, "memory", "1M"]),
    /cannot use policy ".*": line 1, column 1: there is no default/,
  );
});
