// SPDX-License-Identifier: MIT
// Plugins that call every function of the host with whatever arguments: each call fails its request at
// worst, and the next one is answered as if nothing had been.

import assert from "node:assert/strict";
import { TestClient } from "../backend/testing.ts";
import type { Device } from "../block/device.ts";
import { BlockError } from "../block/errno.ts";
import type { DeviceOptions } from "../control/options.ts";
import { IMPORTS, wasmTypes } from "../plugin/abi.ts";
import { parseGrants } from "../plugin/grants.ts";
import { preparePlugin } from "../plugin/prepare.ts";
import { assemble, diskWat, manifestJson, plugin } from "../plugin/test_plugins.ts";
import { writeManifest } from "../plugin/manifest.ts";
import { Watchdog } from "../plugin/watch.ts";
import { ValueType } from "../plugin/wasm/format.ts";
import { buildDevice } from "./build.ts";
import { pluginNodes } from "./nodes.ts";

/** Where a test leaves the arguments of the next call, 8 bytes each. */
const ARGUMENTS = 1024;
const MEMORY_BYTES = 4 * 65536;
const ROUNDS = 300;
const INTERESTING = [
  0n,
  1n,
  2n,
  3n,
  16n,
  512n,
  4096n,
  65535n,
  BigInt(MEMORY_BYTES - 1),
  BigInt(MEMORY_BYTES),
  0x3fffffffn,
  0x40000000n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x1_0000_0000n,
  0x7fff_ffff_ffff_ffffn,
  -1n,
  -4096n,
  -0x8000_0000_0000_0000n,
];

/** A filter that calls `name`, when it is read below 4096 or listed, with what lies at ARGUMENTS. */
function caller(name: string): string {
  const abi = IMPORTS.get(name)!;
  const text = (type: number) => type === ValueType.I64 ? "i64" : "i32";
  const parameters = wasmTypes(abi.parameters, false).map(text);
  const results = wasmTypes(abi.results, false).map(text);
  const loads = parameters.map((type, i) => `(${type}.load (i32.const ${ARGUMENTS + 8 * i}))`);
  const call = `(call $it ${loads.join(" ")})`;
  const run = results.length === 0 ? call : `(drop ${call})`;
  const reply = name === "reply_zero" ? "$it" : "$zero";
  const zero = name === "reply_zero"
    ? ""
    : `(import "sandblock:v3" "reply_zero" (func $zero (param i32 i64 i64 i32)))`;
  return `(module
    (import "sandblock:v3" "${name}" (func $it (param ${parameters.join(" ")})
      ${results.length === 0 ? "" : `(result ${results[0]})`}))
    ${zero}
    (memory (export "memory") 4 8)
    (global $heap (mut i32) (i32.const 65536))
    (func (export "sb_alloc") (param $size i32) (param $align i32) (result i32)
      (local $at i32)
      (if (i32.gt_u (local.get $size) (i32.const 262144)) (then (return (i32.const 0))))
      (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 4095)) (i32.const -4096)))
      (global.set $heap (i32.add (local.get $at) (local.get $size)))
      (if (i32.gt_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536)))
        (then (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1))
          (then (return (i32.const 0))))))
      (local.get $at))
    (func (export "sb_free") (param i32 i32 i32) (global.set $heap (i32.const 65536)))
    (func (export "sb_done") (param i32 i32))
    (func (export "sb_size") (param i32) (result i64) (i64.const 65536))
    (func (export "sb_list") (result i32) ${run} (i32.const 0))
    (func (export "sb_default") (result i32) (i32.const 0))
    (func (export "sb_flush") (param i32 i32 i32) (result i32) (i32.const 0))
    ${
    ["trim", "zero", "cache", "extents"].map((data) =>
      `(func (export "sb_${data}") (param i32 i32 i64 i64 i32) (result i32) (i32.const 0))`
    ).join(" ")
  }
    (func (export "sb_pwrite") (param i32 i32 i32 i64 i64 i32) (result i32) (i32.const 0))
    (func (export "sb_pread") (param $h i32) (param $req i32) (param $count i64)
      (param $offset i64) (param $flags i32) (result i32)
      (if (i64.lt_u (local.get $offset) (i64.const 4096)) (then
        ;; A number of a request that there is, for those who take one.
        (if (i32.eq (i32.load (i32.const ${ARGUMENTS})) (i32.const 3))
          (then (i32.store (i32.const ${ARGUMENTS}) (local.get $req))))
        ${run}))
      (call ${reply} (local.get $req) (i64.const 0) (local.get $count) (i32.const 0))
      (i32.const 0)))`;
}

/** The filter above a RAM disk, allowed to write below `directory`. */
function start(name: string, directory: string): { device: Device; lines: string[] } {
  const manifest = manifestJson({
    abi: "3.2",
    name: "hostile",
    kind: "filter",
    calls: { pwrite: "transform", pread: "transform" },
    capabilities: { write: {}, net: {}, clock: {}, random: {} },
    metrics: [{ name: "a", type: "counter" }],
  });
  const prepared = preparePlugin(writeManifest(assemble(caller(name)), manifest));
  const below: DeviceOptions = {
    kind: "plugin",
    prepared: preparePlugin(plugin(diskWat(), { name: "below" })),
    values: [],
  };
  const options: DeviceOptions = {
    kind: "plugin",
    prepared,
    values: [],
    children: [below],
    grants: parseGrants(["write=in", "net=127.0.0.1:9", "clock", "random"], directory),
  };
  const watchdog = new Watchdog();
  const watches = pluginNodes(options).map(() => watchdog.watch(10_000));
  watchdog.stop();
  const lines: string[] = [];
  const log = (_level: string, text: string) => void lines.push(text);
  return { device: buildDevice(options, { watches, log, instances: 1 }), lines };
}

/** Numbers that look random and are the same each time. */
function randomness(): (below: number) => number {
  let seed = 42;
  return (below) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
}

function attack(name: string, directory: string, random: (below: number) => number): boolean {
  const { device, lines } = start(name, directory);
  const opened = device.open("", { readOnly: false, peer: "" });
  const client = new TestClient(device, opened);
  const view = () => device.memory.view;
  const pick = () => INTERESTING[random(INTERESTING.length)]!;
  for (let round = 0; round < ROUNDS; round++) {
    const values = Array.from({ length: 10 }, pick);
    for (const [i, value] of values.entries()) {
      view().setBigInt64(ARGUMENTS + 8 * i, value, true);
    }
    const what = `${name}(${values.join(", ")})`;
    try {
      if (round % 3 === 0) device.list();
      else client.read(0, 512);
    } catch (error) {
      assert(error instanceof BlockError || error instanceof Error && "errno" in error, `${error}`);
      // A host that throws where it must not says so like this.
      assert.doesNotMatch(error.message, /made the host fail/, what);
    }
    assert.deepEqual(client.read(8192, 8), new Uint8Array(8), what);
  }
  assert.doesNotMatch(lines.join("\n"), /made the host fail/);
  const endMs = performance.now() + 3000;
  while (device.busy && performance.now() < endMs) {
    device.submitQueued();
    device.reap();
  }
  assert.equal(device.busy, false, name);
  client.close();
  return lines.some((line) => line.includes(`: ${name}: `));
}

Deno.test("no function of the host minds what a plugin calls it with", () => {
  const directory = Deno.makeTempDirSync();
  Deno.mkdirSync(`${directory}/in`);
  const random = randomness();
  // Only a plugin whose calls wait may sleep; what those do is in core/plugin/blocking.
  const names = [...IMPORTS.keys()].filter((name) => name !== "sleep");
  const refused = names.filter((name) => attack(name, directory, random));
  assert(refused.length > 30, `only ${refused} were refused anything`);
  assert.deepEqual([...Deno.readDirSync(directory)].map((entry) => entry.name), ["in"]);
  Deno.removeSync(directory, { recursive: true });
});
