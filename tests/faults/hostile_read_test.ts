// SPDX-License-Identifier: MIT
// Plugins that trap, loop, exhaust memory or lie when they are read from. The read fails with EIO within
// the deadline; the next request, other clients and the process go on.

import assert from "node:assert/strict";
import { Command } from "../../core/block/request.ts";
import { assertSameBytes } from "../support/bytes.ts";
import { within } from "../support/deadline.ts";
import { servePlugin } from "../support/plugin_server.ts";
import type { TestServer } from "../support/server.ts";
import { rangeCall, textAt, type WatPlugin } from "../support/wat_plugin.ts";
import { data, EIO, OPTIONS, SLACK_MS, TIMEOUT_MS } from "./hostile.ts";

/** `$request` and `$count` are those of a read; 0 on the stack is success. */
const READS: Record<string, string> = {
  "trap": "unreachable",
  "divide by zero": "(i32.div_u (i32.const 1) (i32.wrap_i64 (i64.const 0)))",
  "load from outside of their memory": "(i32.load (i32.const -8))",
  "fill more than their memory":
    "(memory.fill (i32.const 0) (i32.const 1) (i32.const -1)) (i32.const 0)",
  "call a function that is not there": "(call_indirect (result i32) (i32.const 0))",
  "loop for ever": "(loop $l (br $l)) (i32.const 0)",
  "loop for ever with calls": "(loop $l (drop (call $nothing)) (br $l)) (i32.const 0)",
  "loop for ever over big copies": `(loop $l
      (memory.copy (i32.const 524288) (i32.const 524388) (i32.const 500000)) (br $l)) (i32.const 0)`,
  "recurse for ever": "(call $recurse (i32.const 0))",
  "call itself twice each time, for ever": "(call $fan (i32.const 60))",
  "take all memory and touch what they did not get": `(loop $l
      (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
    (i32.store (i32.mul (memory.size) (i32.const 65536)) (i32.const 1)) (i32.const 0)`,
  "answer nothing": "(i32.const 0)",
  "answer half": `${data("0", "0", "(i64.const 2048)")} (i32.const 0)`,
  "answer more than the request": `${data("0", "0", "(i64.const 8192)")} (i32.const 0)`,
  "answer one part twice": `${data("0", "0", "(i64.const 2048)")}
    ${data("1024", "0", "(i64.const 3072)")} (i32.const 0)`,
  "leave a gap": `${data("0", "0", "(i64.const 1024)")}
    ${data("2048", "0", "(i64.const 2048)")} (i32.const 0)`,
  "answer before the request": `${data("-1", "0", "(local.get $count)")} (i32.const 0)`,
  "answer with a length that wraps around": `${data("0", "0", "(i64.const -1)")} ${
    data("-1", "0", "(i64.const 4097)")
  } (i32.const 0)`,
  "answer with nothing": `${data("0", "0", "(i64.const 0)")} (i32.const 0)`,
  "point outside of their memory": `${data("0", "-4000", "(local.get $count)")} (i32.const 0)`,
  "answer another request": `(call $reply_zero (i32.add (local.get $request) (i32.const 1))
      (i64.const 0) (local.get $count) (i32.const 0)) (i32.const 0)`,
  "use flags that do not exist": `(call $reply_data (local.get $request) (i64.const 0)
      (i32.const 0) (local.get $count) (i32.const 6)) (i32.const 0)`,
  "fail a part with no errno": `(call $reply_error (local.get $request) (i64.const 0)
      (local.get $count) (i32.const 0)) (i32.const 0)`,
  "fail a part with an errno that does not exist": `(call $reply_error (local.get $request)
      (i64.const 0) (local.get $count) (i32.const 12345)) (i32.const 0)`,
  "answer a read with extents": `(call $extent (local.get $request) (local.get $count)
      (i32.const 0)) (i32.const 0)`,
  "return an errno that does not exist": "(i32.const 134)",
  "return a negative number": "(i32.const -22)",
  "return pending, which is not defined yet": "(i32.const -1)",
  "log for ever": `(loop $l (call $log (i32.const 0) (i32.const 0) (i32.const 4)) (br $l))
    (i32.const 0)`,
  "answer in pieces for ever": `(loop $l ${data("0", "0", "(i64.const 1)")} (br $l)) (i32.const 0)`,
};

const HELPERS = `
  (table 4 funcref)
  (func $nothing (result i32) i32.const 0)
  (func $recurse (param $n i32) (result i32)
    (i32.add (i32.const 1) (call $recurse (i32.add (local.get $n) (i32.const 1)))))
  (func $fan (param $n i32) (result i32)
    (if (result i32) (i32.eqz (local.get $n)) (then (i32.const 1)) (else
      (i32.add (call $fan (i32.sub (local.get $n) (i32.const 1)))
        (call $fan (i32.sub (local.get $n) (i32.const 1)))))))`;

/** Reads at 0 give "good"; reads anywhere else do what `code` says. */
function hostileReader(code: string): WatPlugin {
  return {
    body: `${HELPERS} ${textAt(16384, "good".repeat(1024))}
    (func $hostile (param $request i32) (param $count i64) (result i32) ${code})
    ${
      rangeCall(
        "sb_pread",
        `(if (i64.ne (local.get $offset) (i64.const 0))
           (then (return (call $hostile (local.get $request) (local.get $count)))))
         (call $reply_data (local.get $request) (i64.const 0) (i32.const 16384) (local.get $count)
           (i32.const 0)) (i32.const 0)`,
      )
    }`,
  };
}

/** Reads at 0 work, for an old client and for a new one. */
async function assertServesOn(server: TestServer): Promise<void> {
  await using client = await server.client();
  const expected = new TextEncoder().encode("good".repeat(1024));
  assertSameBytes(await client.read(0, 4096), expected);
}

for (const [name, code] of Object.entries(READS)) {
  Deno.test(`plugins that ${name} fail the read and nothing else`, async () => {
    await using server = await servePlugin(hostileReader(code), OPTIONS);
    await using client = await server.client();
    await using bystander = await server.client();
    for (let round = 0; round < 2; round++) {
      const reading = client.request({ command: Command.Read, offset: 4096n, length: 4096n });
      const answer = await within(reading, "the deadline", TIMEOUT_MS + SLACK_MS);
      assert.equal(answer.errno, EIO);
      assert.match(answer.failures[0]!.message, /plugin "test"/);
      assert.equal((await client.read(0, 4096)).length, 4096);
      assert.equal((await bystander.read(0, 4096)).length, 4096);
    }
    await server.log.match(/error: .*plugin "test"/);
    await assertServesOn(server);
  });
}

Deno.test("plugins that read an error text from outside of their memory only lose the text", async () => {
  const code = `(call $error_text (i32.const -8) (i32.const 100)) (i32.const 28)`;
  await using server = await servePlugin(hostileReader(code), OPTIONS);
  await using client = await server.client();
  const errno = await client.perform(Command.Read, 4096n, 4096n);
  assert.ok(errno === 28 || errno === EIO, `${errno}`);
  await assertServesOn(server);
});

Deno.test("plugins that reply to a request of the past fail the present one", async () => {
  await using server = await servePlugin({
    body: `(global $old (mut i32) (i32.const 0)) ${
      rangeCall(
        "sb_pread",
        `(if (i32.eqz (global.get $old)) (then (global.set $old (local.get $request))))
         (call $reply_zero (global.get $old) (i64.const 0) (local.get $count) (i32.const 0))
         (i32.const 0)`,
      )
    }`,
  }, OPTIONS);
  await using client = await server.client();
  assert.equal(await client.perform(Command.Read, 0n, 512n), 0);
  assert.equal(await client.perform(Command.Read, 0n, 512n), EIO);
  assert.equal(await client.perform(Command.Read, 0n, 512n), EIO);
});

Deno.test("a plugin in an endless loop does not keep the server from stopping", async () => {
  await using server = await servePlugin(hostileReader("(loop $l (br $l)) (i32.const 0)"), OPTIONS);
  await using client = await server.client();
  const cookie = await client.post({ command: Command.Read, offset: 4096n, length: 512n });
  server.signal("SIGTERM");
  const answered = client.answer(cookie).then(({ errno }) => errno, () => EIO);
  assert.ok([EIO, 108].includes(await answered));
  assert.equal((await server.ended()).code, 0);
});

Deno.test("memory that a plugin may not have does not become the server's", async () => {
  const body = `${HELPERS} ${
    rangeCall(
      "sb_pread",
      `(local $at i32)
       (loop $l
         (if (i32.ne (memory.grow (i32.const 16)) (i32.const -1)) (then
           (memory.fill (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1048576))
             (i32.const 1) (i32.const 1048576))
           (br $l))))
       unreachable`,
    )
  }`;
  await using server = await servePlugin({ body }, OPTIONS);
  await using client = await server.client();
  const before = server.memoryBytes();
  for (let i = 0; i < 3; i++) assert.equal(await client.perform(Command.Read, 0n, 512n), EIO);
  const grown = server.memoryBytes() - before;
  assert.ok(grown < 80 * 1024 * 1024, `${grown} bytes more`);
});
