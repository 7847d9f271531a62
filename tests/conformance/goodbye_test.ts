// SPDX-License-Identifier: MIT
// The end of a connection and of the server (proto.md "NBD_CMD_DISC", "Terminating the transmission
// phase", NBD_ESHUTDOWN, NBD_REP_ERR_SHUTDOWN).

import assert from "node:assert/strict";
import { Command } from "../../core/block/request.ts";
import { encodeInfoData, encodeOption, encodeRequest } from "../../core/nbd/client.ts";
import { Option, Replies, Reply, WireErrno } from "../../core/nbd/wire.ts";
import { assertSameBytes, noise } from "../support/bytes.ts";
import { servePlugin } from "../support/plugin_server.ts";
import { TestServer } from "../support/server.ts";
import { rangeCall, textAt } from "../support/wat_plugin.ts";

const FRAMINGS = Object.entries(Replies);

/** A read that begins at 0 logs "begun" and takes a while; others are quick. */
const SLOW_PLUGIN = {
  body: `${textAt(0, "begun")} ${
    rangeCall(
      "sb_pread",
      `(local $i i32)
       (if (i64.eqz (local.get $offset))
         (then
           (call $log (i32.const 2) (i32.const 0) (i32.const 5))
           (loop $again
             (local.set $i (i32.add (local.get $i) (i32.const 1)))
             (br_if $again (i32.lt_u (local.get $i) (i32.const 300000000))))))
       (call $reply_zero (local.get $request) (i64.const 0) (local.get $count) (i32.const 0))
       (i32.const 0)`,
    )
  }`,
};

for (const [name, replies] of FRAMINGS) {
  Deno.test(`DISC gets no reply, what came before it does, ${name}`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client({ replies });
    const writes = Array.from({ length: 100 }, (_, i) => ({
      command: Command.Write,
      offset: BigInt(i * 4096),
      payload: noise(4096, i),
    }));
    const sending = client.requestAll(writes);
    for (const { errno } of await sending) assert.equal(errno, 0);
    const read = await client.post({ command: Command.Read, length: 400n * 1024n });
    await client.send(encodeRequest({ command: Command.Disconnect }, replies));
    const answer = await client.answer(read);
    assertSameBytes(answer.data().subarray(0, 4096), noise(4096, 0));
    await client.closed();
  });

  Deno.test(`DISC is obeyed whatever its fields are, ${name}`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client({ replies });
    const command = Command.Disconnect;
    const odd = { command, flags: 0x8000, offset: 1n << 63n, length: 4096n, cookie: 5n };
    await client.send(encodeRequest(odd, replies));
    await client.closed();
  });

  Deno.test(`requests behind DISC are not carried out, ${name}`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client({ replies });
    const goodbye = encodeRequest({ command: Command.Disconnect }, replies);
    await client.send(goodbye);
    await client.send(encodeRequest({ command: Command.Write, payload: noise(512) }, replies))
      .catch(() => {});
    await client.closed();
    await using other = await server.client({ replies });
    assertSameBytes(await other.read(0, 512), new Uint8Array(512));
  });

  Deno.test(`a client that only stops sending gets its answers, ${name}`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    await using client = await server.client({ replies });
    const cookies = [];
    for (let i = 0; i < 50; i++) {
      cookies.push(await client.post({ command: Command.Read, length: 100_000n }));
    }
    await client.closeWrite();
    for (const cookie of cookies) assert.equal((await client.answer(cookie)).errno, 0);
    await client.closed();
  });

  Deno.test(`at SIGTERM requests are finished or refused with ESHUTDOWN, ${name}`, async () => {
    await using server = await servePlugin(SLOW_PLUGIN);
    await using client = await server.client({ replies });
    const slow = await client.post({ command: Command.Read, length: 512n });
    await server.log.match(/begun/);
    const later = await client.post({ command: Command.Read, offset: 512n, length: 512n });
    server.signal("SIGTERM");
    assert.equal((await client.answer(slow)).errno, 0);
    const { errno } = await client.answer(later);
    assert.ok(errno === 0 || errno === WireErrno.ESHUTDOWN, `errno ${errno}`);
    await client.closed();
    assert.deepEqual(await server.ended(), { code: 0, signal: null });
  });
}

Deno.test("at SIGTERM an option that is waiting is answered SHUTDOWN", async () => {
  await using server = await servePlugin(SLOW_PLUGIN);
  await using client = await server.client();
  await using newcomer = await server.connect();
  await newcomer.greet();
  assert.equal(await newcomer.ask(4711), Reply.Unsupported);
  // Until the thread sleeps it might look at the newcomer before it looks at the signal.
  await new Promise((resolve) => setTimeout(resolve, 100));
  const slow = await client.post({ command: Command.Read, length: 512n });
  await server.log.match(/begun/);
  // The thread that would answer is busy, so all of these wait together.
  await newcomer.send(encodeOption(Option.Go, encodeInfoData("")));
  server.signal("SIGTERM");
  assert.equal((await client.answer(slow)).errno, 0);
  const [reply] = await newcomer.optionReplies();
  assert.equal(reply!.type, Reply.Shutdown);
  await newcomer.closed();
  assert.equal((await server.ended()).code, 0);
});

Deno.test("at SIGTERM idle connections and handshakes are closed and the process ends", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using idle = await server.client();
  await using silent = await server.connect();
  await silent.take(18);
  await using haggling = await server.connect();
  await haggling.greet();
  server.signal("SIGTERM");
  assert.deepEqual(await server.ended(5000), { code: 0, signal: null });
  for (const client of [idle, silent, haggling]) await client.closed();
});

for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
  Deno.test(`${signal} ends the server with status 0 and removes its socket`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    Deno.lstatSync(server.socket);
    assert.deepEqual(await server.stop(signal), { code: 0, signal: null });
    assert.throws(() => Deno.lstatSync(server.socket), Deno.errors.NotFound);
  });
}

Deno.test("a client that vanishes costs nobody else anything", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await using stays = await server.client();
  for (let i = 0; i < 20; i++) {
    const client = i % 2 === 0 ? await server.connect() : await server.client();
    if (i % 4 === 1) {
      const request = { command: Command.Write, length: 4096n, rawFlags: true, flags: 0x20 };
      await client.send(encodeRequest(request, Replies.Extended));
      await client.send(noise(100 * i));
    }
    client.close();
    assert.equal((await stays.read(0, 512)).length, 512);
  }
});
