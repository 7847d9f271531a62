// SPDX-License-Identifier: MIT
// Connections of plugins: to whom they were granted and nobody else, without ever waiting.

import assert from "node:assert/strict";
import { Errno } from "../block/errno.ts";
import { parseGrants } from "../plugin/grants.ts";
import { TestPlugin } from "../plugin/test_device.ts";
import { laterWat, RANGE } from "../plugin/test_plugins.ts";
import { GrantedStreams } from "./granted_streams.ts";

/** Where the test leaves arguments and finds what sb_done was told: their number, then pairs. */
const ADDRESS = 2048;
const DATA = 4096;
const BUFFER = 65536;
const TOLD = 8192;

/** Reads do what their offset says, in units of 512, and answer with the result as i32. */
const WAT = laterWat(
  `(func (export "sb_open") (param i32 i32 i32) (result i32) (i32.const 0))
  (func (export "sb_size") (param i32) (result i64) (i64.const 65536))
  (func $do (param $what i32) (result i32)
    (if (i32.eqz (local.get $what)) (then (return
      (call $net_open (i32.const ${ADDRESS}) (i32.load (i32.const ${ADDRESS - 4})) (i32.const 1)))))
    (if (i32.eq (local.get $what) (i32.const 1)) (then (return
      (call $net_write (i32.const 0) (i32.const ${DATA}) (i64.load (i32.const ${
    DATA - 8
  })) (i32.const 2)))))
    (if (i32.eq (local.get $what) (i32.const 2)) (then (return
      (call $net_read (i32.const 0) (i32.const ${BUFFER}) (i32.const 3)))))
    (call $net_close (i32.const 0))
    (i32.const 0))
  (func (export "sb_pread") ${RANGE}
    (i32.store (i32.const 1024)
      (call $do (i32.wrap_i64 (i64.div_u (local.get $offset) (i64.const 512)))))
    (call $reply_data (local.get $req) (i64.const 0) (i32.const 1024) (local.get $count) (i32.const 0))
    (i32.const 0))
  (func (export "sb_done") (param i32 i32) (local $at i32)
    (local.set $at (i32.add (i32.const ${TOLD + 4})
      (i32.mul (i32.load (i32.const ${TOLD})) (i32.const 8))))
    (i32.store (local.get $at) (local.get 0))
    (i32.store offset=4 (local.get $at) (local.get 1))
    (i32.store (i32.const ${TOLD}) (i32.add (i32.load (i32.const ${TOLD})) (i32.const 1))))`,
  ["net_open", "net_read", "net_write", "net_close", "reply_data"],
).replace('(memory (export "memory") 4)', '(memory (export "memory") 64)');

/** A plugin with the network, driven step by step. */
class Client {
  readonly plugin: TestPlugin;
  #seen = 0;

  constructor(...allow: string[]) {
    const grants = parseGrants(allow);
    this.plugin = new TestPlugin(WAT, {
      manifest: { abi: "3.1", capabilities: { net: {} } },
      grants,
      streams: new GrantedStreams(grants.net),
    });
  }

  open(address: string): number {
    const { bytes, view } = this.plugin.device.memory;
    const encoded = new TextEncoder().encode(address);
    bytes.set(encoded, ADDRESS);
    view.setUint32(ADDRESS - 4, encoded.length, true);
    return this.#do(0);
  }

  write(data: Uint8Array): number {
    const { bytes, view } = this.plugin.device.memory;
    bytes.set(data, DATA + 65536 * 2);
    bytes.copyWithin(DATA, DATA + 65536 * 2, DATA + 65536 * 2 + Math.min(data.length, 3000));
    view.setBigUint64(DATA - 8, BigInt(data.length), true);
    return this.#do(1);
  }

  read(room: number): number {
    this.plugin.device.memory.view.setUint32(BUFFER, room, true);
    return this.#do(2);
  }

  close(): number {
    return this.#do(3);
  }

  /** What the last read has brought. */
  get received(): Uint8Array {
    const { bytes, view } = this.plugin.device.memory;
    return bytes.slice(BUFFER + 8, BUFFER + 8 + view.getUint32(BUFFER + 4, true));
  }

  /** The next thing that sb_done is told: token and result. */
  async told(): Promise<[number, number]> {
    const { device } = this.plugin;
    for (let waits = 0; waits < 1000; waits++) {
      device.reap();
      const { view } = device.memory;
      if (view.getInt32(TOLD, true) > this.#seen) {
        const at = TOLD + 4 + 8 * this.#seen++;
        return [view.getInt32(at, true), view.getInt32(at + 4, true)];
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    throw new Error("sb_done was not called");
  }

  #do(what: number): number {
    const bytes = this.plugin.read(512 * what, 4).slice();
    return new DataView(bytes.buffer).getInt32(0, true);
  }
}

const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test("a plugin talks to a port that it was granted", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${listener.addr.port}`;
  const client = new Client(`net=${address}`);
  assert.equal(client.open(address), 0);
  assert.equal(client.read(100), Errno.ENOTCONN, "not yet");
  using server = await listener.accept();
  assert.deepEqual(await client.told(), [1, 0]);
  assert.equal(client.write(bytesOf("hello")), 0);
  const buffer = new Uint8Array(100);
  assert.equal(textOf(buffer.subarray(0, (await server.read(buffer))!)), "hello");
  assert.equal(client.read(100), -1, "there is nothing yet");
  assert.equal(client.read(100), Errno.EBUSY);
  assert.equal(client.plugin.device.busy, false, "waiting for others is no work");
  await server.write(bytesOf("how do you do"));
  assert.deepEqual(await client.told(), [3, 0]);
  assert.equal(textOf(client.received), "how do you do");
  server.close();
  let status = client.read(100);
  if (status === -1) [, status] = await client.told();
  assert.equal(status, 0);
  assert.equal(client.received.length, 0, "the end of the stream");
  assert.equal(client.close(), 0);
  assert.equal(client.read(100), Errno.EBADF);
  client.plugin.device.close();
  assert.deepEqual(client.plugin.lines, []);
});

Deno.test("a write that does not fit is finished when the other side reads", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${listener.addr.port}`;
  const client = new Client(`net=${address}`);
  client.open(address);
  using server = await listener.accept();
  await client.told();
  const data = new Uint8Array(3_000_000);
  // More than the kernel takes: the same again and again, until it does not fit.
  let writes = 0;
  while (client.write(data) === 0) writes++;
  let received = 0;
  const buffer = new Uint8Array(1 << 20);
  const reading = (async () => {
    while (received < (writes + 1) * data.length) received += (await server.read(buffer))!;
  })();
  assert.deepEqual(await client.told(), [2, 0]);
  await reading;
  client.plugin.device.close();
});

Deno.test("nobody else can be reached, by whatever name", () => {
  const client = new Client("net=127.0.0.1:9", "net=[::1]:9");
  for (
    const address of [
      "127.0.0.1:10",
      "127.0.0.2:9",
      "localhost:9",
      "127.0.0.1:09",
      "127.0.0.1",
      "::1:9",
      "",
      " 127.0.0.1:9",
    ]
  ) assert.equal(client.open(address), -Errno.EACCES, address);
  const without = new Client();
  assert.equal(without.open("127.0.0.1:9"), -Errno.EACCES);
  for (const { plugin } of [client, without]) plugin.device.close();
});

Deno.test("a port on which nobody listens is ECONNREFUSED, a name that nobody knows ends the start", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${listener.addr.port}`;
  listener.close();
  const client = new Client(`net=${address}`);
  assert.equal(client.open(address), 0);
  assert.deepEqual(await client.told(), [1, Errno.ECONNREFUSED]);
  assert.equal(client.write(bytesOf("x")), Errno.ENOTCONN);
  client.plugin.device.close();
  assert.throws(() => new Client("net=nobody.invalid:1"), /cannot look up host "nobody.invalid"/);
});

Deno.test("streams are closed with what they were in the middle of", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${listener.addr.port}`;
  const client = new Client(`net=${address}`);
  for (let round = 0; round < 40; round++) {
    assert.equal(client.open(address), 0, "the number is free again");
    using server = await listener.accept();
    await client.told();
    assert.equal(client.read(10), -1);
    client.close();
    assert.equal(await server.read(new Uint8Array(1)), null);
  }
  client.plugin.device.close();
});
