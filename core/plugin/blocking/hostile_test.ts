// SPDX-License-Identifier: MIT
// Plugins whose calls wait and that loop, trap, lie, wait for ever or do not want to stop.

import assert from "node:assert/strict";
import { Errno } from "../../block/errno.ts";
import { Command } from "../../block/request.ts";
import { GrantedFiles } from "../../backend/granted_files.ts";
import { parseGrants } from "../grants.ts";
import { fails } from "../test_device.ts";
import { laterWat, RANGE } from "../test_plugins.ts";
import { RemoteWatchdog } from "../test_watchdog.ts";
import { OK, OPEN, type PoolTest, reader, TestPool, ZEROES } from "./test_pool.ts";

/** Watches that end calls after `timeoutMs`, whatever this thread does. */
async function watches(
  watchdog: RemoteWatchdog,
  timeoutMs: number,
  count = 2,
): Promise<PoolTest> {
  const made = [];
  for (let i = 0; i <= count; i++) made.push(await watchdog.watch(timeoutMs));
  return { watch: made[0]!, watches: made.slice(1), instances: count };
}

/** Does `bad` for the first block, and answers all others. */
const badAt0 = (bad: string) => `(if (i64.eqz (local.get $offset)) (then ${bad})) ${ZEROES} ${OK}`;

function errnoOf(pool: TestPool, offset: number): [number, string] {
  const request = pool.client.request(Command.Read, offset, 512n, 0);
  const [errno] = pool.client.together([request]);
  return [errno!, request.errorText];
}

Deno.test("a loop without end fails its request, and others are answered meanwhile", async () => {
  using watchdog = new RemoteWatchdog();
  const options = await watches(watchdog, 300);
  const pool = new TestPool(reader(badAt0("(loop (br 0))"), []), options);
  assert.deepEqual(errnoOf(pool, 512), [0, ""]);
  const requests = [0, 512, 1024, 1536].map((at) => {
    return pool.client.request(Command.Read, at, 512n, 0);
  });
  assert.deepEqual(pool.client.together(requests), [Errno.EIO, 0, 0, 0]);
  assert.match(requests[0]!.errorText, /took longer than 300 ms in sb_pread/);
  assert.deepEqual(errnoOf(pool, 512), [0, ""]);
  pool.client.close();
  assert.match(pool.lines.join("\n"), /^error: plugin "test": took longer than 300 ms in sb_pread/);
});

Deno.test("waiting is not computing, but computing in between is", async () => {
  using watchdog = new RemoteWatchdog();
  const sleeps = "(drop (call $sleep (i64.const 400000000)))";
  const options = await watches(watchdog, 300);
  const good = new TestPool(reader(`${sleeps} ${ZEROES} ${OK}`, ["sleep"]), options);
  assert.deepEqual(errnoOf(good, 0), [0, ""]);
  good.client.close();
  // Never long without asking for something, and never done.
  const asks = "(loop (drop (call $feature (i32.const 0) (i32.const 1))) (br 0))";
  const bad = new TestPool(reader(badAt0(asks), ["feature"]), await watches(watchdog, 300));
  const [errno, text] = errnoOf(bad, 0);
  assert.equal(errno, Errno.EIO);
  assert.match(text, /took longer than 300 ms in sb_pread/);
  assert.deepEqual(errnoOf(bad, 512), [0, ""]);
  bad.client.close();
});

Deno.test("a trap fails its request; files stay open and the instance is used again", () => {
  const pool = new TestPool(reader(badAt0("unreachable"), []), { instances: 1 });
  for (let round = 0; round < 3; round++) {
    const [errno, text] = errnoOf(pool, 0);
    assert.equal(errno, Errno.EIO);
    assert.match(text, /trapped: unreachable in sb_pread/);
    assert.deepEqual(errnoOf(pool, 512), [0, ""]);
  }
  assert.equal(pool.device.failures, 3);
  pool.client.close();
});

Deno.test("an instance that has failed is replaced where that is the policy", () => {
  const code = `(if (global.get $bad) (then (return (i32.const 28))))
    ${badAt0("(global.set $bad (i32.const 1)) unreachable")}`;
  const wat = reader(code, [], `(global $bad (mut i32) ${OK})`);
  const kept = new TestPool(wat, { instances: 1 });
  assert.equal(errnoOf(kept, 0)[0], Errno.EIO);
  assert.equal(errnoOf(kept, 512)[0], Errno.ENOSPC, "it has kept its memory");
  kept.client.close();
  const renewed = new TestPool(wat, { instances: 1, restart: "restart" });
  for (let round = 0; round < 3; round++) {
    assert.equal(errnoOf(renewed, 0)[0], Errno.EIO);
    assert.equal(errnoOf(renewed, 512)[0], 0, "it is another one");
  }
  const nodes: { failures: number; restarts: number }[] = [];
  renewed.device.collectMetrics("0", nodes as never);
  assert.deepEqual([nodes[0]!.failures, nodes[0]!.restarts], [3, 3]);
  renewed.client.close();
  const backed = new TestPool(wat, { instances: 1, restart: "backoff" });
  assert.equal(errnoOf(backed, 0)[0], Errno.EIO);
  const [errno, text] = errnoOf(backed, 512);
  assert.equal(errno, Errno.EIO);
  assert.match(text, /^plugin "test" has failed and is started again in \d+ ms$/);
  backed.client.close();
});

Deno.test("what breaks the rules fails the request that it was for", () => {
  const ways: [string, RegExp, string[]][] = [
    ["(return (i32.const -1))", /it left the request pending, though it may wait/, []],
    ["(return (i32.const 4711))", /it returned 4711, which is no errno/, []],
    [`(return ${OK})`, /it answered 0 of 512 bytes/, []],
    [
      `(drop (call $net_read ${OK} ${OK} (i32.const 5)))`,
      /net_read: it waits, so the token is 0, not 5/,
      ["net_read"],
    ],
    [
      `(drop (call $file_pread (i32.const 3) ${OK} (i64.const 1) (i64.const 0) ${OK} ${OK}))`,
      /there is no open file 3/,
      ["file_pread"],
    ],
    [
      `(call $reply_data (i32.const 77) (i64.const 0) ${OK} (i64.const 512) ${OK})`,
      /request 77 is not under way/,
      ["reply_data"],
    ],
    [
      `(call $reply_data (local.get $req) (i64.const 0) (i32.const -16) (i64.const 512) ${OK})`,
      /512 bytes at 4294967280 are not in its memory/,
      ["reply_data"],
    ],
    [
      `(drop (call $reply_buffer (local.get $req) (i64.const 0) (i64.const 4294967808)))`,
      /reach beyond the 512 requested/,
      ["reply_buffer"],
    ],
    ["(call $log (i32.const 9) (i32.const 0) (i32.const 0))", /9 is no level/, ["log"]],
  ];
  for (const [bad, message, imports] of ways) {
    const pool = new TestPool(reader(badAt0(bad), imports), {
      instances: 1,
      manifest: { capabilities: { net: {}, read: {} } },
    });
    const [errno, text] = errnoOf(pool, 0);
    assert.equal(errno, Errno.EIO, bad);
    assert.match(text, message);
    assert.deepEqual(errnoOf(pool, 512), [0, ""]);
    pool.client.close();
  }
});

Deno.test("what an instance answers after its request has ended is nobody's", () => {
  const code = `(if (global.get $before) (then
      (call $reply_zero (global.get $before) (i64.const 0) (i64.const 512) ${OK})))
    (global.set $before (local.get $req)) ${ZEROES} ${OK}`;
  const wat = reader(code, [], `(global $before (mut i32) ${OK})`);
  const pool = new TestPool(wat, { instances: 1 });
  assert.deepEqual(errnoOf(pool, 0), [0, ""]);
  assert.match(errnoOf(pool, 0)[1], /reply_zero: request \d+ is not/);
  pool.client.close();
});

Deno.test("who waits for ever is stopped with the device, and may catch nothing", () => {
  const forever = "(drop (call $sleep (i64.const 0x7fffffffffffffff)))";
  const again = `(loop $again (try (do ${forever}) (catch_all)) (br $again))`;
  for (const bad of [forever, again]) {
    const pool = new TestPool(reader(badAt0(bad), ["sleep"]), { instances: 2 });
    assert.deepEqual(errnoOf(pool, 512), [0, ""]);
    const ended: number[] = [];
    for (let i = 0; i < 5; i++) {
      const request = pool.client.request(Command.Read, 0, 512n, 0);
      request.sink = { completed: (_request, errno) => void ended.push(errno) };
      assert.equal(pool.client.opened.submit(request), -1);
    }
    const untilMs = performance.now() + 300;
    while (performance.now() < untilMs) pool.client.turn(10);
    assert.deepEqual(ended, []);
    const startMs = performance.now();
    pool.device.close();
    assert(performance.now() - startMs < 5000);
    assert.deepEqual(ended, Array(5).fill(Errno.EIO));
  }
});

Deno.test("a plugin that does not stop is left behind", async () => {
  using watchdog = new RemoteWatchdog();
  const stop = `(func (export "sb_stop") (loop (br 0)))`;
  const pool = new TestPool(reader(badAt0(""), [], stop), await watches(watchdog, 200, 1));
  assert.deepEqual(errnoOf(pool, 512), [0, ""]);
  const startMs = performance.now();
  pool.client.close();
  assert(performance.now() - startMs < 5000);
  assert.match(pool.lines.join("\n"), /took longer than 200 ms in sb_stop/);
});

Deno.test("instances that cannot be started refuse requests, and say why", () => {
  const root = Deno.makeTempDirSync();
  const grants = parseGrants(["write=."], root);
  // The instance on the reactor makes the file; all others find it there.
  const wat = laterWat(
    `(data (i32.const 16) "only") ${OPEN}
    (func (export "sb_ready") (result i32) (local $file i32)
      (local.set $file (call $file_open (i32.const 16) (i32.const 4) (i32.const 7)))
      (if (i32.ge_s (local.get $file) ${OK}) (then (return ${OK})))
      (i32.sub ${OK} (local.get $file)))
    (func (export "sb_pread") ${RANGE} ${OK})`,
    ["file_open"],
  );
  const pool = new TestPool(wat, {
    manifest: { capabilities: { write: {} } },
    grants,
    files: new GrantedFiles(grants.files, { log: () => {} }),
  });
  const requests = Array.from({ length: 3 }, () => {
    return pool.client.request(Command.Read, 0, 512n, 0);
  });
  assert.deepEqual(pool.client.together(requests), Array(3).fill(Errno.EIO));
  assert.match(requests[0]!.errorText, /^plugin "test" cannot be started \(cannot start plugin/);
  assert.match(errnoOf(pool, 0)[1], /is started again in \d+ ms$/);
  pool.client.close();
  Deno.removeSync(root, { recursive: true });
});

Deno.test("exports that an instance cannot open fail requests, not the instance", () => {
  // The first instance to open is the one on the reactor; all others find the flag in a file.
  const root = Deno.makeTempDirSync();
  const grants = parseGrants(["write=."], root);
  const wat = laterWat(
    `(data (i32.const 16) "flag")
    (func (export "sb_open") (param i32 i32 i32) (result i32)
      (if (i32.lt_s (call $file_open (i32.const 16) (i32.const 4) (i32.const 7)) ${OK})
        (then (return (i32.const -13)))) ${OK})
    (func (export "sb_size") (param i32) (result i64) (i64.const 65536))
    (func (export "sb_pread") ${RANGE} ${ZEROES} ${OK})`,
    ["file_open", "reply_zero"],
  );
  const pool = new TestPool(wat, {
    manifest: { capabilities: { write: {} } },
    grants,
    files: new GrantedFiles(grants.files, { log: () => {} }),
    instances: 1,
  });
  const [errno, text] = errnoOf(pool, 0);
  assert.equal(errno, Errno.EACCES);
  assert.match(text, /^cannot open the export "": EACCES/);
  Deno.removeSync(`${root}/flag`);
  assert.deepEqual(errnoOf(pool, 0), [0, ""]);
  pool.client.close();
  Deno.removeSync(root, { recursive: true });
});

Deno.test("memory is bounded for each instance, and may grow in the middle of an answer", () => {
  const code = `
    (memory.fill (i32.const 1024) (i32.const 5) (i32.const 256))
    (call $reply_data (local.get $req) (i64.const 0) (i32.const 1024) (i64.const 256) ${OK})
    (loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
    (local.set $at (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 256)))
    (memory.fill (local.get $at) (i32.const 6) (i32.const 256))
    (call $reply_data (local.get $req) (i64.const 256) (local.get $at) (i64.const 256) ${OK}) ${OK}`;
  const pool = new TestPool(reader(code, ["reply_data"]), {
    manifest: { limits: { memory: "32M" } },
    instances: 2,
  });
  for (let round = 0; round < 4; round++) {
    const bytes = pool.client.read(0, 512);
    assert.deepEqual([bytes[0], bytes[255], bytes[256], bytes[511]], [5, 5, 6, 6]);
  }
  pool.client.close();
});

Deno.test("functions for requests that are finished later are refused", () => {
  const say = (name: string) => new RegExp(`"${name}", which a plugin with "threads": "blocking"`);
  const made = (functions: string, imports: string[], manifest = {}) =>
    new TestPool(laterWat(functions, imports), { manifest });
  const pread = `${OPEN} (func (export "sb_pread") ${RANGE} ${OK})`;
  for (const name of ["complete", "timer", "cancel"]) {
    assert.throws(() => made(pread, [name]), say(name));
  }
  assert.throws(
    () => made(pread, ["sleep"], { threads: "serialized", instances: undefined }),
    /"sleep"/,
  );
  assert.throws(() => made(pread, [], { instances: 65 }), /a number from 1 to 64/);
  assert.throws(() => made(pread, [], { threads: "parallel" }), /only "threads": "blocking"/);
  fails(
    () =>
      made(
        `${OPEN} (func (export "sb_pread") ${RANGE} ${OK})
        (func (export "sb_ready") (result i32) (i32.const 5))`,
        [],
      ),
    Errno.EIO,
    /cannot start plugin "test"/,
  );
});
