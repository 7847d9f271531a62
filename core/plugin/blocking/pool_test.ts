// SPDX-License-Identifier: MIT
// Plugins whose calls wait: what they are answered, and that others are answered meanwhile.

import assert from "node:assert/strict";
import { Errno } from "../../block/errno.ts";
import { Command, RequestFlag } from "../../block/request.ts";
import { GrantedFiles } from "../../backend/granted_files.ts";
import { GrantedStreams } from "../../backend/granted_streams.ts";
import { Refused } from "../../backend/testing.ts";
import { Agenda } from "../agenda.ts";
import { parseGrants } from "../grants.ts";
import { TestPlugin } from "../test_device.ts";
import { diskWat, laterWat, RANGE } from "../test_plugins.ts";
import { OK, OPEN, reader, TestPool, WRITE, ZEROES } from "./test_pool.ts";

Deno.test("requests that sleep do so at the same time, as many as there are instances", () => {
  const code = `(drop (call $sleep (i64.const 300000000))) ${ZEROES} ${OK}`;
  const { client, lines } = new TestPool(reader(code, ["sleep"]), { instances: 3 });
  client.read(0, 512);
  const reads = () =>
    Array.from({ length: 6 }, (_, i) => client.request(Command.Read, i * 512, 512n, 0));
  assert.deepEqual(client.together(reads()), [0, 0, 0, 0, 0, 0]);
  const startMs = performance.now();
  assert.deepEqual(client.together(reads()), [0, 0, 0, 0, 0, 0]);
  const tookMs = performance.now() - startMs;
  assert(tookMs >= 590, `${tookMs} ms for two after each other`);
  assert(tookMs < 1700, `${tookMs} ms, though three may sleep at a time`);
  client.close();
  assert.deepEqual(lines, []);
});

Deno.test("every way of answering a read arrives as it was meant", () => {
  const code = `
    (memory.fill (i32.const 1024) (i32.const 1) (i32.const 512))
    (call $reply_data (local.get $req) (i64.const 0) (i32.const 1024) (i64.const 512) ${OK})
    (memory.fill (i32.const 1024) (i32.const 2) (i32.const 512))
    (call $reply_data (local.get $req) (i64.const 512) (i32.const 1024) (i64.const 512) (i32.const 1))
    (local.set $at (call $reply_buffer (local.get $req) (i64.const 1024) (i64.const 512)))
    (memory.fill (local.get $at) (i32.const 3) (i32.const 512))
    (call $reply_zero (local.get $req) (i64.const 1536) (i64.const 256) ${OK})
    (call $reply_error (local.get $req) (i64.const 1792) (i64.const 256) (i32.const 28)) ${OK}`;
  const wat = reader(code, ["reply_data", "reply_buffer", "reply_error"]);
  const { client, lines } = new TestPool(wat, { instances: 1 });
  for (let round = 0; round < 3; round++) {
    const { bytes, errno } = client.readPartly(0, 2048);
    assert.equal(errno, Errno.ENOSPC);
    const expected = new Uint8Array(1792);
    expected.fill(1, 0, 512).fill(2, 512, 1024).fill(3, 1024, 1536);
    assert.deepEqual(bytes, expected);
  }
  client.close();
  assert.deepEqual(lines, []);
});

/** A disk in a file that every instance opens, with all calls; each waits where it can. */
const FILE_DISK = laterWat(
  `(data (i32.const 16) "disk") ${OPEN} (global $file (mut i32) ${OK})
  (func (export "sb_ready") (result i32)
    (global.set $file (call $file_open (i32.const 16) (i32.const 4) (i32.const 3)))
    (if (i32.lt_s (global.get $file) ${OK})
      (then (return (i32.sub ${OK} (global.get $file)))))
    (call $file_resize (global.get $file) (i64.const 65536)))
  (func (export "sb_pread") ${RANGE} (local $at i32) (local $errno i32)
    (local.set $at (call $reply_buffer (local.get $req) (i64.const 0) (local.get $count)))
    (call $file_pread (global.get $file) (local.get $at) (local.get $count) (local.get $offset) ${OK} ${OK}))
  (func (export "sb_pwrite") ${WRITE}
    (call $file_pwrite (global.get $file) (local.get $data) (local.get $count) (local.get $offset) ${OK} ${OK}))
  (func (export "sb_flush") (param i32 i32 i32) (result i32)
    (call $file_sync (global.get $file) ${OK} ${OK}))`,
  ["reply_buffer", "file_open", "file_resize", "file_pread", "file_pwrite", "file_sync"],
);

Deno.test("what one instance has written to a file, others read", () => {
  const root = Deno.makeTempDirSync();
  const grants = parseGrants(["write=."], root);
  const { client, lines } = new TestPool(FILE_DISK, {
    manifest: { capabilities: { write: {} } },
    grants,
    files: new GrantedFiles(grants.files, { log: () => {} }),
  });
  const written = new Uint8Array(65536).map((_, i) => (i >> 8) + i);
  const writes = Array.from({ length: 16 }, (_, i) => {
    const at = i * 4096;
    return client.writeRequest(at, written.subarray(at, at + 4096), i % 2 ? RequestFlag.Fua : 0);
  });
  assert(client.together(writes).every((errno) => errno === 0));
  client.flush();
  for (let at = 0; at < 65536; at += 8192) {
    assert.deepEqual(client.read(at, 8192), written.subarray(at, at + 8192));
  }
  // Zeroes are written for it, through memory of the host's.
  client.zero(1000, 3000);
  written.fill(0, 1000, 4000);
  assert.deepEqual(client.read(0, 8192), written.subarray(0, 8192));
  client.close();
  assert.deepEqual(lines, []);
  assert.deepEqual(Deno.readFileSync(`${root}/disk`), written);
  Deno.removeSync(root, { recursive: true });
});

/** Reads where the data is from below, in the first 8 bytes, and then the data. */
const INDEXED = laterWat(
  `(func (export "sb_size") (param $h i32) (result i64)
    (if (call $next_pread (local.get $h) ${OK} (i32.const 64) (i64.const 8) (i64.const 0) ${OK} ${OK})
      (then (return (i64.const -5))))
    (i64.sub (call $next_size (local.get $h) ${OK}) (i64.load (i32.const 64))))
  (func (export "sb_pread") ${RANGE} (local $errno i32)
    (local.set $errno (call $next_pread (local.get $h) ${OK} (i32.const 64) (i64.const 8)
      (i64.const 0) ${OK} ${OK}))
    (if (local.get $errno) (then (return (local.get $errno))))
    (call $next_forward (local.get $req) ${OK} (i64.const 0) (local.get $count)
      (i64.add (local.get $offset) (i64.load (i32.const 64))) ${OK} ${OK}))`,
  ["next_pread", "next_size", "next_forward"],
);

Deno.test("a filter reads below what it needs to know before it reads on", () => {
  const agenda = new Agenda();
  const below = new TestPlugin(diskWat(), { agenda });
  below.write(0, new Uint8Array(new BigUint64Array([4096n]).buffer));
  below.write(4096, new Uint8Array(512).fill(7));
  const { client, lines, device } = new TestPool(INDEXED, {
    manifest: { kind: "filter" },
    children: [below.device],
    agenda,
    runsAgenda: true,
  });
  assert.equal(client.opened.info.sizeLow, 65536 - 4096);
  for (let round = 0; round < 4; round++) {
    assert.deepEqual(client.read(0, 1024).subarray(500, 524), new Uint8Array(24).fill(7, 0, 12));
  }
  // What it has no function for goes to the child, by no instance.
  client.write(8192, new Uint8Array(512).fill(9));
  assert.equal(client.read(4096, 512)[0], 9);
  assert.deepEqual(lines, []);
  client.opened.close();
  device.close();
});

Deno.test("a conversation over the network is written down as it goes", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serve = async (connection: Deno.Conn) => {
    const bytes = new Uint8Array(1);
    while (await connection.read(bytes) !== null) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      await connection.write(new Uint8Array(512).fill(bytes[0]! + 1));
    }
    connection.close();
  };
  const serveAll = async () => {
    const served = [];
    for await (const connection of listener) served.push(serve(connection));
    await Promise.all(served);
  };
  const served = serveAll();
  const address = `127.0.0.1:${(listener.addr as Deno.NetAddr).port}`;
  const grants = parseGrants([`net=${address}`], "/");
  const code = `
    (if (i32.eqz (global.get $open)) (then
      (global.set $stream (call $net_open (i32.const 16) (i32.const ${address.length}) ${OK}))
      (if (i32.lt_s (global.get $stream) ${OK})
        (then (return (i32.sub ${OK} (global.get $stream)))))
      (global.set $open (i32.const 1))))
    (i32.store8 (i32.const 8) (i32.wrap_i64 (i64.shr_u (local.get $offset) (i64.const 9))))
    (if (call $net_write (global.get $stream) (i32.const 8) (i64.const 1) ${OK})
      (then (return (i32.const 5))))
    (loop $more
      (i32.store (i32.const 1016) (i32.sub (i32.const 512) (local.get $at)))
      (if (call $net_read (global.get $stream) (i32.const 1016) ${OK}) (then (return (i32.const 5))))
      (call $reply_data (local.get $req) (i64.extend_i32_u (local.get $at)) (i32.const 1024)
        (i64.load32_u (i32.const 1020)) ${OK})
      (local.set $at (i32.add (local.get $at) (i32.load (i32.const 1020))))
      (br_if $more (i32.lt_u (local.get $at) (i32.const 512)))) ${OK}`;
  const wat = reader(
    code,
    ["net_open", "net_write", "net_read", "reply_data"],
    `(data (i32.const 16) "${address}") (global $open (mut i32) ${OK}) (global $stream (mut i32) ${OK})`,
  );
  const pool = new TestPool(wat, {
    manifest: { capabilities: { net: {} } },
    grants,
    streams: new GrantedStreams(grants.net),
    instances: 2,
  });
  const { client, device } = pool;
  const ended: number[] = [];
  const requests = Array.from({ length: 8 }, (_, i) => {
    const request = client.request(Command.Read, i * 512, 512n, 0);
    request.sink = { completed: (_request, errno) => void ended.push(errno) };
    assert.equal(client.opened.submit(request), -1);
    return request;
  });
  for (let turns = 0; ended.length < 8 && turns < 4000; turns++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    device.reap();
    device.submitQueued();
  }
  assert.deepEqual(ended, Array(8).fill(0), requests.map((one) => one.errorText).join());
  requests.forEach((request, i) => {
    assert.equal(client.bytesAt(request.pieceValue(0), 1)[0], i + 1);
  });
  client.close();
  assert.deepEqual(pool.lines, []);
  listener.close();
  await served;
});

Deno.test("an answer in more pieces than are kept, in memory that grows, arrives in order", () => {
  // Each piece is in the same place, where the next one overwrites it.
  const code = `
    (loop $more
      (memory.fill (i32.const 1024) (i32.shr_u (local.get $at) (i32.const 8)) (i32.const 256))
      (call $reply_data (local.get $req) (i64.extend_i32_u (local.get $at)) (i32.const 1024)
        (i64.const 128) ${OK})
      (call $reply_zero (local.get $req) (i64.extend_i32_u (i32.add (local.get $at) (i32.const 128)))
        (i64.const 64) ${OK})
      (memory.fill (call $reply_buffer (local.get $req)
        (i64.extend_i32_u (i32.add (local.get $at) (i32.const 192))) (i64.const 64))
        (i32.const 9) (i32.const 64))
      (local.set $at (i32.add (local.get $at) (i32.const 256)))
      (br_if $more (i32.lt_u (local.get $at) (i32.wrap_i64 (local.get $count))))) ${OK}`;
  const wat = reader(code, ["reply_data", "reply_buffer"]);
  const { client, lines } = new TestPool(wat, { instances: 1 });
  const expected = new Uint8Array(65536).map((_, i) => {
    return i % 256 < 128 ? i >> 8 : i % 256 < 192 ? 0 : 9;
  });
  // Its allocator takes nothing back, so the memory grows.
  for (let round = 0; round < 5; round++) assert.deepEqual(client.read(0, 65536), expected);
  client.close();
  assert.deepEqual(lines, []);
});

Deno.test("a request that fails says why, and the next one is answered", () => {
  const code = `(if (i64.eqz (local.get $offset)) (then
      (call $error_text (i32.const 16) (i32.const 4)) (return (i32.const 28)))) ${ZEROES} ${OK}`;
  const { client } = new TestPool(reader(code, ["error_text"], `(data (i32.const 16) "full")`));
  assert.throws(() => client.read(0, 512), (error) => {
    assert(error instanceof Refused);
    assert.equal(error.text, "full");
    return error.errno === Errno.ENOSPC;
  });
  assert.deepEqual(client.read(512, 512), new Uint8Array(512));
  client.close();
});

Deno.test("metrics of all instances are added up", () => {
  const code = `(global.set $n (i64.add (global.get $n) (i64.const 1)))
    (call $metric ${OK} (global.get $n)) (drop (call $sleep (i64.const 20000000))) ${ZEROES} ${OK}`;
  const { client, device } = new TestPool(
    reader(code, ["metric", "sleep"], "(global $n (mut i64) (i64.const 0))"),
    { instances: 2, manifest: { metrics: [{ name: "reads", type: "counter", description: "" }] } },
  );
  const reads = Array.from({ length: 7 }, () => client.request(Command.Read, 0, 512n, 0));
  client.together(reads);
  const nodes: { samples: { value: number }[] }[] = [];
  device.collectMetrics("0", nodes as never);
  assert.equal(nodes[0]!.samples[0]!.value, 7);
  client.close();
});
