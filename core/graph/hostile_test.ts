// SPDX-License-Identifier: MIT
// Plugins that try to get out, to get at what is others', or to keep their host busy.

import assert from "node:assert/strict";
import { TestClient } from "../backend/testing.ts";
import { GrantedFiles } from "../backend/granted_files.ts";
import { Errno } from "../block/errno.ts";
import { Command, Request, Status } from "../block/request.ts";
import { parseGrants } from "../plugin/grants.ts";
import { fails, TestPlugin } from "../plugin/test_device.ts";
import { laterWat, RANGE } from "../plugin/test_plugins.ts";
import { RemoteWatchdog } from "../plugin/test_watchdog.ts";

const OK = "(i32.const 0)";
const OPEN = `(func (export "sb_open") (param i32 i32 i32) (result i32) ${OK})
  (func (export "sb_size") (param i32) (result i64) (i64.const 65536))`;
const V31 = { abi: "3.1" };

/** Lists one export: the first 16 bytes of the file whose path lies at 2048, its length at 2044. */
const SPY = laterWat(
  `${OPEN} (func (export "sb_pread") ${RANGE} (i32.const 5))
  (func (export "sb_list") (result i32) (local $file i32)
    (memory.fill (i32.const 1024) (i32.const 46) (i32.const 16))
    (local.set $file (call $file_open (i32.const 2048) (i32.load (i32.const 2044)) ${OK}))
    (drop (call $file_pread (local.get $file) (i32.const 1024) (i64.const 16) (i64.const 0) ${OK} ${OK}))
    (call $export_add (i32.const 1024) (i32.const 16) ${OK} ${OK}) ${OK})`,
  ["file_open", "file_pread", "export_add"],
);

Deno.test("a plugin cannot read one byte that it was not granted, whatever path it takes", () => {
  const root = Deno.realPathSync(Deno.makeTempDirSync());
  Deno.mkdirSync(`${root}/in/deep`, { recursive: true });
  Deno.writeTextFileSync(`${root}/secret`, "SECRET-SECRET-SECRET");
  Deno.writeTextFileSync(`${root}/in/open`, "open to everyone");
  Deno.symlinkSync("../secret", `${root}/in/link`);
  Deno.symlinkSync(`${root}`, `${root}/in/deep/up`);
  Deno.linkSync(`${root}/in/open`, `${root}/in/deep/hard`);
  const grants = parseGrants(["read=in"], root);
  const plugin = new TestPlugin(SPY, {
    manifest: { ...V31, capabilities: { read: {} } },
    grants,
    files: new GrantedFiles(grants.files, { log: () => {} }),
  });
  const spy = (path: string) => {
    const { bytes, view } = plugin.device.memory;
    const encoded = new TextEncoder().encode(path);
    bytes.set(encoded, 2048);
    view.setUint32(2044, encoded.length, true);
    try {
      return plugin.device.list()[0]!.name;
    } catch (error) {
      return (error as Error).message;
    }
  };
  assert.equal(spy("open"), "open to everyone");
  assert.equal(spy("deep/hard"), "open to everyone");
  assert.equal(spy(`${root}/in/deep/../open`), "open to everyone");
  const ways = ["../secret", "deep/../../secret", "link", "deep/up/secret", `${root}/secret`];
  ways.push(`${root}/in/../secret`, `//${root}/secret`, `${root}/in/link`, "open/../../secret");
  ways.push("/proc/self/environ", `/proc/self/root${root}/secret`, "/proc/self/cwd", "/dev/stdin");
  ways.push("secret", "\\..\\secret", "..%2fsecret", "./././../secret", "deep//..//..//secret");
  for (const path of ways) {
    const got = spy(path);
    assert(!got.includes("SECRET"), `${path}: ${got}`);
    assert.match(got, /no open file -\d+$/, path);
  }
  assert.match(spy("open\0/../../secret"), /a name that is not UTF-8, or contains NUL/);
  plugin.device.close();
  Deno.removeSync(root, { recursive: true });
});

/** Keeps reads; writes complete the request whose number is the offset, in units of 512. */
const COMPLETER = laterWat(
  `${OPEN}
  (func (export "sb_pread") ${RANGE} (i32.const -1))
  (func (export "sb_pwrite") (param $h i32) (param $req i32) (param $data i32)
    (param $count i64) (param $offset i64) (param $flags i32) (result i32)
    (local $id i32)
    (local.set $id (i32.load (local.get $data)))
    (call $reply_zero (local.get $id) (i64.const 0) (i64.const 512) ${OK})
    (call $complete (local.get $id) ${OK}) ${OK})`,
  ["complete", "reply_zero"],
);

/** Has `plugin` complete the request `id` of its own, or so it thinks. */
function complete(plugin: TestPlugin, id: number): number {
  const bytes = new Uint8Array(new Int32Array([id, 0]).buffer);
  return plugin.write(0, bytes);
}

Deno.test("a request is completed once, by whom it was asked of, and never again", () => {
  const [one, other] = [
    new TestPlugin(COMPLETER, { manifest: V31 }),
    new TestPlugin(COMPLETER, {
      manifest: V31,
    }),
  ];
  const pend = (plugin: TestPlugin): Request => {
    const request = new Request();
    Object.assign(request, { command: Command.Read, lengthLow: 512 });
    request.space = plugin.request.space;
    request.sink = plugin.request.sink;
    assert.equal(plugin.opened.submit(request), Status.Pending);
    return request;
  };
  pend(one);
  // The first request of each has the number 1: what the other one calls 1 is its own write.
  assert.equal(complete(other, 1), Errno.EIO);
  assert.match(other.request.errorText, /breaks the ABI in sb_pwrite/);
  assert.deepEqual(one.ended, []);
  assert.equal(complete(one, 1), 0);
  one.device.reap();
  assert.deepEqual(one.ended, [0]);
  // Twice, and numbers that never were: none of them is anybody's.
  for (const id of [1, 0, -1, 2, 65537, 0x7fffffff, -0x80000000]) {
    assert.equal(complete(one, id), Errno.EIO, `${id}`);
  }
  one.device.reap();
  assert.deepEqual(one.ended, [0]);
  const again = pend(one);
  assert.equal(complete(one, 1), Errno.EIO, "a number is not used again soon");
  assert.deepEqual(one.ended, [0]);
  assert.equal(again.pieceCount, 0);
  for (const { device } of [one, other]) device.close();
});

Deno.test("memory that grows in the middle of an answer takes nothing away from it", () => {
  // Stable data, then all the memory there is, then transient data and a buffer behind that.
  const plugin = new TestPlugin(
    laterWat(
      `${OPEN}
      (func (export "sb_pread") ${RANGE} (local $at i32)
        (memory.fill (i32.const 1024) (i32.const 7) (i32.const 1536))
        (call $reply_data (local.get $req) (i64.const 0) (i32.const 1024) (i64.const 512) (i32.const 1))
        (loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
        (call $reply_data (local.get $req) (i64.const 512) (i32.const 1024) (i64.const 512) ${OK})
        (local.set $at (call $reply_buffer (local.get $req) (i64.const 1024) (i64.const 512)))
        (memory.fill (local.get $at) (i32.const 7) (i32.const 512))
        (call $reply_data (local.get $req) (i64.const 1536)
          (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 512)) (i64.const 512) ${OK})
        ${OK})`,
      ["reply_data", "reply_buffer"],
    ),
    { manifest: V31, memoryMaximum: 64 * 1024 * 1024 },
  );
  const { address } = plugin.device.memory;
  const bytes = plugin.read(0, 2048);
  assert(bytes.subarray(0, 1536).every((byte) => byte === 7));
  assert(bytes.subarray(1536).every((byte) => byte === 0));
  assert.equal(plugin.device.memory.address, address);
  assert(plugin.device.memory.bytes.length > 60 * 1024 * 1024);
  plugin.device.close();
});

Deno.test("thousands of timers that set themselves again leave time for requests", () => {
  const plugin = new TestPlugin(
    laterWat(
      `${OPEN} (global $fired (mut i32) ${OK})
      (func (export "sb_ready") (result i32) (local $n i32)
        (loop $more (drop (call $timer (i64.const 0) (local.get $n)))
          (br_if $more (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1)))
            (i32.const 20000)))) ${OK})
      (func (export "sb_done") (param i32 i32)
        (global.set $fired (i32.add (global.get $fired) (i32.const 1)))
        (drop (call $timer (i64.const 0) (local.get 0)))
        (drop (call $timer (i64.const 0) (local.get 0))))
      (func (export "sb_pread") ${RANGE}
        (call $reply_zero (local.get $req) (i64.const 0) (local.get $count) ${OK}) ${OK})`,
      ["timer", "reply_zero"],
    ),
    { manifest: V31 },
  );
  for (let turn = 0; turn < 20; turn++) {
    const startMs = performance.now();
    assert.equal(plugin.device.nextMs <= startMs, true);
    plugin.device.reap();
    assert(performance.now() - startMs < 2000, "one turn does not go on for ever");
    assert.deepEqual(plugin.read(0, 4), new Uint8Array(4));
  }
  plugin.device.close();
  assert.equal(plugin.device.nextMs, Infinity, "none is left of a device that is closed");
});

Deno.test("an allocator that calls the host, which calls the allocator, comes to an end", () => {
  const plugin = new TestPlugin(
    laterWat(
      `${OPEN}
      (func (export "sb_pread") ${RANGE}
        (drop (call $reply_buffer (local.get $req) (i64.const 0) (i64.const 512))) ${OK})
      (func (export "sb_list") (result i32)
        (drop (call $file_open ${OK} (i32.const 1) ${OK}))
        (drop (call $reply_buffer (i32.const 1) (i64.const 0) (i64.const 512))) ${OK})`,
      ["reply_buffer", "file_open"],
    ).replace(
      /\(func \$alloc \(export "sb_alloc"\)[\s\S]*?\(local\.get \$p\)\)/,
      `(func $alloc (export "sb_alloc") (param i32 i32) (result i32)
        (drop (call $reply_buffer (i32.const 1) (i64.const 0) (i64.const 512)))
        (i32.const 4096))`,
    ),
    { manifest: { ...V31, capabilities: { read: {} } } },
  );
  for (let round = 0; round < 5; round++) {
    assert.notEqual(plugin.submit(Command.Read, { length: 512 }), 0);
    assert.throws(() => plugin.device.list());
  }
  plugin.device.close();
});

Deno.test("a start function without end ends the start, and nothing else does", async () => {
  using watchdog = new RemoteWatchdog();
  const watch = await watchdog.watch(100);
  const wat = laterWat(`${OPEN} (func (export "sb_pread") ${RANGE} ${OK})
    (func $begin (loop (br 0))) (start $begin)`);
  const startMs = performance.now();
  fails(() => new TestPlugin(wat, { watch }), Errno.EIO, /took longer than 100 ms in its start/);
  assert(performance.now() - startMs < 5000);
});

Deno.test("what was under way on files when a plugin failed is nobody's any more", async () => {
  const root = Deno.makeTempDirSync();
  const grants = parseGrants(["write=."], root);
  const plugin = new TestPlugin(
    laterWat(
      `(data (i32.const 16) "file") ${OPEN} (global $file (mut i32) ${OK})
      (func (export "sb_ready") (result i32)
        (global.set $file (call $file_open (i32.const 16) (i32.const 4) (i32.const 3))) ${OK})
      (func (export "sb_pread") ${RANGE} unreachable)
      (func (export "sb_pwrite") (param $h i32) (param $req i32) (param $data i32)
        (param $count i64) (param $offset i64) (param $flags i32) (result i32)
        (call $file_pwrite (global.get $file) (local.get $data) (local.get $count)
          (local.get $offset) (i32.const 1) (local.get $req)))
      (func (export "sb_close") (param i32) (call $file_close (global.get $file)))
      (func (export "sb_done") (param i32 i32) (call $complete (local.get 0) (local.get 1)))`,
      ["file_open", "file_close", "file_pwrite", "complete"],
    ),
    {
      manifest: { ...V31, capabilities: { write: {} } },
      grants,
      files: new GrantedFiles(grants.files, { log: () => {} }),
    },
  );
  const client = new TestClient(plugin.device, plugin.opened);
  for (let i = 0; i < 8; i++) {
    assert.equal(plugin.write(i * 4096, new Uint8Array(4096).fill(1)), Status.Pending);
  }
  plugin.device.submitQueued();
  const trap = new Request();
  Object.assign(trap, { command: Command.Read, lengthLow: 512, space: client });
  assert.equal(plugin.opened.submit(trap), Errno.EIO);
  plugin.opened.close();
  for (let waits = 0; plugin.device.busy && waits < 500; waits++) {
    plugin.device.submitQueued();
    plugin.device.reap();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  assert.equal(plugin.device.busy, false);
  assert.equal(plugin.lines.length, 1, plugin.lines.join("\n"));
  plugin.device.close();
  Deno.removeSync(root, { recursive: true });
});
