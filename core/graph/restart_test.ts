// SPDX-License-Identifier: MIT
// Plugins that get a new instance when they fail: what clients see of it.

import assert from "node:assert/strict";
import { HostMemory } from "../backend/host_memory.ts";
import { Refused, TestClient } from "../backend/testing.ts";
import type { Device } from "../block/device.ts";
import { Errno } from "../block/errno.ts";
import type { DeviceOptions } from "../control/options.ts";
import { parseGrants } from "../plugin/grants.ts";
import { preparePlugin } from "../plugin/prepare.ts";
import { Agenda } from "../plugin/agenda.ts";
import { component, componentWat } from "../plugin/component/test_component.ts";
import { PluginDevice } from "../plugin/instance.ts";
import { RestartingDevice } from "../plugin/restart.ts";
import { type RestartPolicy } from "../plugin/restart_policy.ts";
import { diskWat, laterWat, plugin, RANGE } from "../plugin/test_plugins.ts";
import { Watchdog } from "../plugin/watch.ts";
import { buildDevice } from "./build.ts";
import { pluginNodes } from "./nodes.ts";

/** A RAM disk whose last 4 KiB cannot be read: it traps. */
const FRAGILE = diskWat({
  sb_pread: `(func (export "sb_pread") ${RANGE}
    (if (i64.ge_u (i64.add (local.get $offset) (local.get $count)) (i64.const 61441))
      (then unreachable))
    (call $reply_data (local.get $req) (i64.const 0)
      (i32.wrap_i64 (i64.add (local.get $offset) (i64.const 65536)))
      (local.get $count) (i32.const 1))
    (i32.const 0))`,
});
const LAST = 61440;

function node(
  wat: string,
  restart: RestartPolicy,
  manifest = {},
  ...children: DeviceOptions[]
): DeviceOptions {
  const prepared = preparePlugin(plugin(wat, manifest));
  return { kind: "plugin", prepared, values: [], restart, children };
}

function start(options: DeviceOptions): { device: Device; client: TestClient; lines: string[] } {
  const watchdog = new Watchdog();
  const watches = pluginNodes(options).map(() => watchdog.watch(10_000));
  watchdog.stop();
  const lines: string[] = [];
  const log = (level: string, text: string) => void lines.push(`${level}: ${text}`);
  const device = buildDevice(options, { watches, log, instances: 1 });
  const client = new TestClient(device, device.open("", { readOnly: false, peer: "" }));
  return { device, client, lines };
}

const ONES = new Uint8Array(4096).fill(1);

Deno.test("fail: the request fails, and the instance keeps what it had", () => {
  const { client, lines } = start(node(FRAGILE, "fail"));
  client.write(0, ONES);
  assert.throws(() => client.read(LAST, 512), { errno: Errno.EIO });
  assert.deepEqual(client.read(0, 4096), ONES);
  assert.equal(lines.length, 1);
  client.close();
});

Deno.test("restart: the request fails, the next one is answered by a new instance", () => {
  const { device, client, lines } = start(node(FRAGILE, "restart"));
  const other = new TestClient(device, device.open("", { readOnly: false, peer: "" }));
  client.write(0, ONES);
  assert.deepEqual(other.read(0, 4096), ONES);
  assert.throws(() => client.read(LAST, 512), { errno: Errno.EIO });
  assert.deepEqual(other.read(0, 4096), new Uint8Array(4096), "what it had in memory is lost");
  other.write(0, ONES);
  assert.deepEqual(client.read(0, 4096), ONES, "both have the same instance again");
  assert.match(
    lines.join("\n"),
    /trapped: unreachable in sb_pread[^]*warning: plugin "test": started/,
  );
  other.opened.close();
  client.close();
});

Deno.test("restart: a hundred times in a row", () => {
  const { device, client, lines } = start(node(FRAGILE, "restart"));
  for (let round = 0; round < 100; round++) {
    assert.throws(() => client.read(LAST, 512), (error: Refused) => error.errno === Errno.EIO);
    client.write(4096, ONES);
    assert.deepEqual(client.read(4096, 4096), ONES);
  }
  assert.equal((device as RestartingDevice).restarts, 100);
  assert(lines.length < 50, `${lines.length} lines in the log`);
  client.close();
});

Deno.test("an answer stays as it was when the instance that gave it is gone", () => {
  const { device, client } = start(node(FRAGILE, "restart"));
  const other = new TestClient(device, device.open("", { readOnly: false, peer: "" }));
  client.write(0, ONES);
  const request = client.request(0, 0, 4096n, 0);
  assert.equal(client.opened.submit(request), 0);
  assert.throws(() => other.read(LAST, 512), { errno: Errno.EIO });
  other.write(0, new Uint8Array(4096).fill(7));
  const { memory } = device;
  const at = request.pieceValue(0) - memory.address;
  assert(at >= 0 && at + 4096 <= memory.bytes.length, "it lies where nobody takes it away");
  assert(memory.bytes.slice(at, at + 4096).every((byte) => byte === 1));
  other.opened.close();
  client.close();
});

/** Keeps all requests but a write, which traps. */
const KEEPS = laterWat(
  `(func (export "sb_open") (param i32 i32 i32) (result i32) (i32.const 0))
  (func (export "sb_size") (param i32) (result i64) (i64.const 65536))
  (func (export "sb_pread") ${RANGE} (drop (call $timer (i64.const 1000000) (i32.const 1))) (i32.const -1))
  (func (export "sb_pwrite") (param i32 i32 i32 i64 i64 i32) (result i32) unreachable)
  (func (export "sb_done") (param i32 i32))`,
  ["timer"],
);

Deno.test("requests that the failed instance had kept fail, and its timers never fire", () => {
  const { device, client, lines } = start(node(KEEPS, "restart", { abi: "3.1" }));
  const ended: number[] = [];
  for (let i = 0; i < 3; i++) {
    const request = client.request(0, 0, 512n, 0);
    request.sink = { completed: (_request, errno) => void ended.push(errno) };
    assert.equal(client.opened.submit(request), -1);
  }
  assert.throws(() => client.write(0, ONES), { errno: Errno.EIO });
  device.reap();
  assert.deepEqual(ended, [Errno.EIO, Errno.EIO, Errno.EIO]);
  assert.equal(device.nextMs, Infinity, "nothing of the old instance is left to do");
  assert.equal(lines.length, 2);
  client.close();
});

/** Writes forward, reads answer by other means, and the last block traps. */
const FILTER = laterWat(
  `(func (export "sb_pread") ${RANGE}
    (if (i64.eq (local.get $offset) (i64.const ${LAST})) (then unreachable))
    (call $next_forward (local.get $req) (i32.const 0) (i64.const 0) (local.get $count)
      (local.get $offset) (i32.const 0) (i32.const 0)))`,
  ["next_forward"],
);

Deno.test("a filter is started again above a child that stays as it is", () => {
  const manifest = { abi: "3.1", kind: "filter", name: "above" };
  const below = node(diskWat(), "fail", { name: "below" });
  const { device, client, lines } = start(node(FILTER, "restart", manifest, below));
  client.write(0, ONES);
  for (let round = 0; round < 5; round++) {
    assert.throws(() => client.read(LAST, 512), { errno: Errno.EIO });
    assert.deepEqual(client.read(0, 4096), ONES);
  }
  assert.equal(lines.filter((line) => /"above": started again/.test(line)).length, 5);
  assert.equal((device as RestartingDevice).failures, 5);
  client.close();
});

Deno.test("a child is started again below a filter that stays as it is", () => {
  const manifest = { abi: "3.1", kind: "filter", name: "above" };
  const pass = FILTER.replace("unreachable", "nop");
  const { client, lines } = start(node(pass, "fail", manifest, node(FRAGILE, "restart")));
  assert.throws(() => client.read(LAST, 512), { errno: Errno.EIO });
  client.write(0, ONES);
  assert.deepEqual(client.read(0, 4096), ONES);
  assert.match(lines.at(-1)!, /"test": started again/);
  client.close();
});

Deno.test("a component is started again like a module", () => {
  const bytes = component(componentWat({
    pread: `(if (i64.eqz (local.get $offset)) (then (unreachable)))
      (call $zero (local.get $request) (i64.const 0) (local.get $count) (i32.const 1))
      (call $drop (local.get $request)) (global.get $ok)`,
  }));
  const { client, lines } = start({
    kind: "plugin",
    prepared: preparePlugin(bytes),
    values: [],
    restart: "restart",
  });
  for (let round = 0; round < 3; round++) {
    assert.throws(() => client.read(0, 512), { errno: Errno.EIO });
    client.write(4096, ONES);
    assert.deepEqual(client.read(4096, 512), new Uint8Array(512));
  }
  assert.equal(lines.filter((line) => /started again/.test(line)).length, 3);
  client.close();
});

/** Answers reads after 300 ms. */
const SLOW = laterWat(
  `(global $late (mut i32) (i32.const 0))
  (func (export "sb_open") (param i32 i32 i32) (result i32) (i32.const 0))
  (func (export "sb_size") (param i32) (result i64) (i64.const 65536))
  (func (export "sb_pread") ${RANGE}
    (global.set $late (local.get $req))
    (drop (call $timer (i64.const 300000000) (i32.const 1))) (i32.const -1))
  (func (export "sb_pwrite") (param i32 i32 i32 i64 i64 i32) (result i32) (i32.const 0))
  (func (export "sb_done") (param i32 i32)
    (memory.fill (i32.const 1024) (i32.const 9) (i32.const 512))
    (call $reply_data (global.get $late) (i64.const 0) (i32.const 1024) (i64.const 512) (i32.const 1))
    (call $complete (global.get $late) (i32.const 0)))`,
  ["timer", "reply_data", "complete"],
);

/** Reads what is below into its own memory first; writes trap. */
const READER = laterWat(
  `(global $req (mut i32) (i32.const 0))
  (func (export "sb_pread") ${RANGE}
    (global.set $req (local.get $req))
    (call $next_pread (local.get $h) (i32.const 0) (i32.const 2048) (i64.const 512) (i64.const 0)
      (i32.const 0) (i32.const 5)))
  (func (export "sb_pwrite") (param i32 i32 i32 i64 i64 i32) (result i32) unreachable)
  (func (export "sb_done") (param i32 i32)
    (call $reply_data (global.get $req) (i64.const 0) (i32.const 2048) (i64.const 512) (i32.const 0))
    (call $complete (global.get $req) (local.get 1)))`,
  ["next_pread", "reply_data", "complete"],
);

Deno.test("what a failed instance has under way below ends by itself, and nobody is told", async () => {
  const manifest = {
    abi: "3.1",
    kind: "filter",
    name: "reader",
    calls: { pread: "transform", pwrite: "transform" },
  };
  const below = node(SLOW, "fail", { abi: "3.1", name: "slow" });
  const { device, client, lines } = start(node(READER, "restart", manifest, below));
  const ended: number[] = [];
  const request = client.request(0, 0, 512n, 0);
  request.sink = { completed: (_request, errno) => void ended.push(errno) };
  assert.equal(client.opened.submit(request), -1);
  assert.throws(() => client.write(0, ONES), { errno: Errno.EIO });
  device.reap();
  assert.deepEqual(ended, [Errno.EIO]);
  assert.match(lines.at(-1)!, /"reader": started again/);
  assert.equal(device.busy, true, "the read below goes on");
  while (device.busy) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    device.reap();
  }
  assert.deepEqual(ended, [Errno.EIO], "nobody is told twice");
  const again = client.request(0, 0, 512n, 0);
  again.sink = request.sink;
  assert.equal(client.opened.submit(again), -1, "the new instance reads");
  while (ended.length < 2) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    device.reap();
  }
  assert.deepEqual(ended, [Errno.EIO, 0]);
  assert.equal(lines.length, 2);
  client.close();
});

/** Can be started as long as there is no file "lock", which it makes; its size is that of "size". */
const PICKY = laterWat(
  `(data (i32.const 16) "locksize")
  (func (export "sb_ready") (result i32)
    (call $file_close (call $file_open (i32.const 16) (i32.const 4) (i32.const 7)))
    (i32.const 0))
  (func (export "sb_open") (param i32 i32 i32) (result i32) (i32.const 0))
  (func (export "sb_size") (param i32) (result i64)
    (call $file_size (call $file_open (i32.const 20) (i32.const 4) (i32.const 0))))
  (func (export "sb_pread") ${RANGE} unreachable)`,
  ["file_open", "file_close", "file_size"],
);

function picky(directory: string, policy: RestartPolicy): DeviceOptions {
  Deno.writeFileSync(`${directory}/size`, new Uint8Array(65536));
  const options = node(PICKY, policy, { abi: "3.1", capabilities: { write: {} } });
  return { ...options, grants: parseGrants(["write=."], directory) } as DeviceOptions;
}

Deno.test("where it cannot be started again, requests say so and it is tried again later", async () => {
  const directory = Deno.makeTempDirSync();
  const { device, client, lines } = start(picky(directory, "restart"));
  assert.throws(() => client.read(0, 512), /trapped: unreachable/);
  const again = () => client.read(0, 512);
  assert.throws(again, /has failed and is started again in \d+ ms/);
  assert.match(lines.join("\n"), /error: plugin "test": cannot be started again: .*file_close/);
  assert(device.nextMs < Infinity);
  assert.throws(() => device.open("", { readOnly: false, peer: "" }), /is started again in/);
  Deno.removeSync(`${directory}/lock`);
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.throws(again, /trapped: unreachable/);
  client.close();
  Deno.removeSync(directory, { recursive: true });
});

Deno.test("a client that was told another size has to connect again", () => {
  const directory = Deno.makeTempDirSync();
  const { client } = start(picky(directory, "restart"));
  assert.throws(() => client.read(0, 512), /trapped/);
  Deno.removeSync(`${directory}/lock`);
  Deno.truncateSync(`${directory}/size`, 4096);
  assert.throws(() => client.read(0, 512), /has another size since its plugin was started again/);
  assert.throws(() => client.read(0, 512), /has another size since its plugin was started again/);
  client.close();
  Deno.removeSync(directory, { recursive: true });
});

Deno.test("backoff: each wait is twice as long as the last, up to a bound, and a good minute ends it", () => {
  let now = 0;
  const log = () => {};
  const prepared = preparePlugin(plugin(FRAGILE));
  const watchdog = new Watchdog();
  const watch = watchdog.watch(10_000);
  watchdog.stop();
  const agenda = new Agenda();
  const device = new RestartingDevice({
    policy: "backoff",
    make: (onFailure) =>
      PluginDevice.create(prepared, [], { watch, log, instances: 1, onFailure, agenda }),
    agenda,
    runsAgenda: false,
    memory: new HostMemory(2 ** 20),
    children: [],
    services: [],
    name: "test",
    log,
    now: () => now,
  });
  const client = new TestClient(device, device.open("", { readOnly: false, peer: "" }));
  const failAndWait = (ms: number) => {
    assert.throws(() => client.read(LAST, 512), /trapped/);
    assert.throws(() => client.read(0, 512), new RegExp(`is started again in ${ms} ms`));
    now += ms - 1;
    assert.throws(() => client.read(0, 512), /is started again in 1 ms/);
    now += 1;
    assert.deepEqual(client.read(0, 4), new Uint8Array(4));
  };
  for (const ms of [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]) {
    failAndWait(ms);
  }
  now += 59_999;
  failAndWait(30_000);
  now += 60_000;
  failAndWait(100);
  failAndWait(200);
  client.close();
});
