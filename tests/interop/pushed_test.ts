// SPDX-License-Identifier: MIT
// What plugins of ABI 3.1 push at clients: they refuse them, and change the size of their exports, also
// through filters.

import assert from "node:assert/strict";
import { Command } from "../../core/block/request.ts";
import { encodeInfoData, encodeOption } from "../../core/nbd/client.ts";
import { Option, Reply } from "../../core/nbd/wire.ts";
import { noise } from "../support/bytes.ts";
import { output } from "../support/command.ts";
import { TestDirectory } from "../support/directory.ts";
import { requires } from "../support/peers.ts";
import { TestServer } from "../support/server.ts";
import { watPlugin } from "../support/wat_plugin.ts";

const MEBIBYTE = 1024 * 1024;
const EINVAL = 22;
const ENOSPC = 28;
const V31 = { abi: "3.1" };

/** Has a MiB at first. A flush makes it one larger; a trim makes it 64 KiB. */
const CHANGING = `
  (import "sandblock:v3" "resize" (func $resize (param i32 i64) (result i32)))`;
const CHANGES = `
  (global $size (mut i64) (i64.const 1048576))
  (func (export "sb_open") (param i32 i32 i32) (result i32)
    (global.set $handles (i32.add (global.get $handles) (i32.const 1))) (global.get $handles))
  (global $handles (mut i32) (i32.const -1))
  (func (export "sb_size") (param i32) (result i64) (global.get $size))
  (func $to (param $size i64) (result i32)
    (global.set $size (local.get $size))
    (call $resize (i32.const 0) (local.get $size)))
  (func (export "sb_pwrite") (param i32 i32 i32 i64 i64 i32) (result i32) i32.const 0)
  (func (export "sb_flush") (param i32 i32 i32) (result i32)
    (call $to (i64.add (global.get $size) (i64.const 1048576))))
  (func (export "sb_trim") (param i32 i32 i64 i64 i32) (result i32) (call $to (i64.const 65536)))`;

for (const filters of [[], ["stats"], ["offset", "stats"]]) {
  Deno.test(`a new size is checked and told to later clients, below ${filters.length} filters`, async () => {
    using directory = new TestDirectory();
    const plugin = directory.write(
      "changing.wasm",
      await watPlugin({ body: CHANGES, imports: CHANGING, manifest: V31 }),
    );
    const shift = filters.includes("offset") ? 4096 : 0;
    const parameters = shift === 0 ? [] : ["offset=4k"];
    const above = filters.flatMap((name) => ["--filter", name]);
    await using server = await TestServer.start([...above, plugin, ...parameters]);
    await using client = await server.client();
    assert.equal(client.agreement!.size, BigInt(MEBIBYTE - shift));
    assert.equal(await client.write(MEBIBYTE - shift, noise(512)), ENOSPC);
    assert.equal(await client.perform(Command.Flush), 0);
    assert.equal(await client.write(MEBIBYTE - shift, noise(512)), 0);
    const nbdinfo = requires("nbdinfo");
    const size = async () => Number(await output([...nbdinfo, "--size", server.uri()]));
    assert.equal(await size(), 2 * MEBIBYTE - shift);
    assert.equal(await client.perform(Command.Trim, 0n, 4096n), 0);
    assert.equal(await client.write(65536 - shift, noise(512)), ENOSPC);
    assert.equal(await client.perform(Command.Cache, 65536n, 512n), EINVAL);
    assert.equal(await size(), 65536 - shift);
  });
}

/** Refuses everybody, with a reason. */
const CLOSED = `
  (data (i32.const 512) "closed for the night")
  (func (export "sb_connect") (param i32 i32) (result i32)
    (call $error_text (i32.const 512) (i32.const 20)) i32.const 13)`;

for (const filters of [[], ["offset", "stats"]]) {
  Deno.test(`a plugin refuses clients as they list or open, below ${filters.length} filters`, async () => {
    using directory = new TestDirectory();
    const plugin = directory.write("closed.wasm", await watPlugin({ body: CLOSED, manifest: V31 }));
    const above = filters.flatMap((name) => ["--filter", name]);
    await using server = await TestServer.start([...above, plugin]);
    await using client = await server.connect();
    await client.greet();
    for (
      const [option, data] of [
        [Option.List, undefined],
        [Option.Info, encodeInfoData("", [])],
        [Option.Go, encodeInfoData("", [])],
      ] as const
    ) {
      const [reply, ...more] = await client.option(option, data);
      assert.deepEqual(more, []);
      assert.equal(reply!.type, Reply.Policy);
      assert.match(new TextDecoder().decode(reply!.data), /closed for the night/);
    }
    // By the old way there is no answer but the end.
    await using old = await server.connect();
    await old.greet();
    await old.send(encodeOption(Option.ExportName));
    await old.closed();
  });
}
