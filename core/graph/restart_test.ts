// SPDX-License-Identifier: MIT
// Plugins that get a new instance when they fail: what clients see of it.

import assert from "node:assert/strict";
import { Refused, TestClient } from "../backend/testing.ts";
import type { Device } from "../block/device.ts";
import { Errno } from "../block/errno.ts";
import type { DeviceOptions } from "../control/options.ts";
import { parseGrants } from "../plugin/grants.ts";
import { preparePlugin } from "../plugin/prepare.ts";
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
  const { device, client } = start(node(FRAGILE, "restart"));
  for (let round = 0; round < 100; round++) {
    assert.throws(() => client.read(LAST, 512), (error: Refused) => error.errno === Errno.EIO);
    client.write(4096, ONES);
    assert.deepEqual(client.read(4096, 4096), ONES);
  }
  assert.equal((device as RestartingDevice).restarts, 100);
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

Deno.test("backoff: each wait is twice as long as the last, and no request waits", () => {
  const options = node(FRAGILE, "backoff");
  const { client, device } = start(options);
  const wait = () => {
    assert.throws(() => client.read(LAST, 512), /trapped/);
    try {
      client.read(0, 512);
    } catch (error) {
      return Number(/again in (\d+) ms/.exec((error as Error).message)?.[1]);
    }
    return 0;
  };
  const restarting = device as RestartingDevice;
  const waits = [wait()];
  for (let i = 0; i < 2; i++) {
    restarting.expired();
    waits.push(wait());
  }
  for (const [index, ms] of waits.entries()) {
    const most = 100 * 2 ** index;
    assert(ms <= most && ms > most / 2, `${waits}`);
  }
  client.close();
});
