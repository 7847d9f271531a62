// SPDX-License-Identifier: MIT
// Plugins that do the same when they are written to or asked for extents.

import assert from "node:assert/strict";
import { Command } from "../../core/block/request.ts";
import { filled, noise } from "../support/bytes.ts";
import { servePlugin } from "../support/plugin_server.ts";
import { rangeCall } from "../support/wat_plugin.ts";
import { data, EIO, OPTIONS, writer } from "./hostile.ts";

const EXTENTS: Record<string, string> = {
  "report no extents": "(i32.const 0)",
  "report an extent of no length":
    "(call $extent (local.get $request) (i64.const 0) (i32.const 0)) (i32.const 0)",
  "report flags that do not exist":
    "(call $extent (local.get $request) (local.get $count) (i32.const 4)) (i32.const 0)",
  "answer extents with data": `${data("0", "0", "(local.get $count)")} (i32.const 0)`,
  "loop in extents": "(loop $l (br $l)) (i32.const 0)",
};
for (const [name, code] of Object.entries(EXTENTS)) {
  Deno.test(`plugins that ${name} fail BLOCK_STATUS and nothing else`, async () => {
    await using server = await servePlugin({ body: rangeCall("sb_extents", code) }, OPTIONS);
    await using client = await server.client({ contexts: ["base:allocation"] });
    for (let round = 0; round < 2; round++) {
      assert.equal(await client.perform(Command.BlockStatus, 0n, 65536n), EIO);
      assert.equal(await client.perform(Command.Read, 0n, 65536n), 0);
    }
  });
}

Deno.test("plugins that report millions of extents have them cut, in time", async () => {
  const code = `(loop $l
    (call $extent (local.get $request) (i64.const 512) (i32.const 0))
    (call $extent (local.get $request) (i64.const 512) (i32.const 3)) (br $l)) (i32.const 0)`;
  await using server = await servePlugin({ body: rangeCall("sb_extents", code) }, OPTIONS);
  await using client = await server.client({ contexts: ["base:allocation"] });
  assert.equal(await client.perform(Command.BlockStatus, 0n, 65536n), EIO);
  assert.equal(await client.perform(Command.Read, 0n, 512n), 0);
});

Deno.test("an extent beyond the request is clipped to it", async () => {
  const code = `(call $extent (local.get $request) (i64.const -1) (i32.const 3)) (i32.const 0)`;
  await using server = await servePlugin({ body: rangeCall("sb_extents", code) }, OPTIONS);
  await using client = await server.client({ contexts: ["base:allocation"] });
  const answer = await client.request({ command: Command.BlockStatus, length: 65536n });
  assert.deepEqual(answer.extents.get(1), [{ length: 65536n, flags: 3n }]);
});

for (
  const [name, code] of [
    ["trap", "unreachable"],
    ["loop", "(loop $l (br $l)) (i32.const 0)"],
    ["return rubbish", "(i32.const 99999)"],
  ] as const
) {
  Deno.test(`plugins that ${name} in a write fail it in step`, async () => {
    await using server = await servePlugin({ body: writer(code) }, OPTIONS);
    await using client = await server.client();
    for (const length of [512, 1_000_000]) {
      assert.equal(await client.write(0, noise(length)), EIO);
      assert.equal(await client.perform(Command.Read, 0n, 512n), 0);
    }
  });

  Deno.test(`plugins that ${name} in flush, trim and zero fail those`, async () => {
    const body = `${writer("(i32.const 0)")}
      (func (export "sb_flush") (param i32 i32 i32) (result i32) ${code})
      ${rangeCall("sb_trim", code)} ${rangeCall("sb_zero", code)}`;
    await using server = await servePlugin({ body }, OPTIONS);
    await using client = await server.client();
    for (const command of [Command.Flush, Command.Trim, Command.WriteZeroes]) {
      const length = command === Command.Flush ? 0n : 4096n;
      assert.equal(await client.perform(command, 0n, length), EIO, `command ${command}`);
      assert.equal(await client.write(0, filled(512, 1)), 0);
    }
  });
}
