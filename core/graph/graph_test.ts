// SPDX-License-Identifier: MIT
// Devices made of several nodes: what is built, and what is said about it.

import assert from "node:assert/strict";
import { FILE_MANIFEST } from "../backend/file_manifest.ts";
import type { Device } from "../block/device.ts";
import type { DeviceOptions } from "../control/options.ts";
import { parseParameters } from "../plugin/parameters.ts";
import { preparePlugin } from "../plugin/prepare.ts";
import { diskWat, laterWat, plugin } from "../plugin/test_plugins.ts";
import { Watchdog } from "../plugin/watch.ts";
import { buildDevice } from "./build.ts";
import { graphLines, viewGraph } from "./describe.ts";
import { isParallel, pluginNodes } from "./nodes.ts";

const FILTER = { abi: "3.1", kind: "filter" };

function node(wat: string, manifest = {}, ...children: DeviceOptions[]): DeviceOptions {
  return { kind: "plugin", prepared: preparePlugin(plugin(wat, manifest)), values: [], children };
}

function file(path: string): DeviceOptions {
  return { kind: "file", values: parseParameters(FILE_MANIFEST.parameters, [path]) };
}

const disk = (name: string, threads = "serialized") => node(diskWat(), { name, threads });

function build(options: DeviceOptions): Device {
  const watchdog = new Watchdog();
  const watches = pluginNodes(options).map(() => watchdog.watch(10_000));
  watchdog.stop();
  return buildDevice(options, { watches, log: () => {}, instances: 1 });
}

const PREAD_AND_SIZE = `(func (export "sb_size") (param i32) (result i64) (i64.const 4096))
  (func (export "sb_pread") (param i32 i32 i64 i64 i32) (result i32) (i32.const 5))`;

Deno.test("plugins are counted from the top, backends are not", () => {
  const top = node(laterWat(""), { ...FILTER, name: "top" }, disk("below"));
  const names = pluginNodes(top).map((one) => one.kind === "plugin" && one.prepared.manifest.name);
  assert.deepEqual(names, ["top", "below"]);
  assert.deepEqual(pluginNodes(file("/dev/null")), []);
});

Deno.test("a graph is as parallel as its least parallel node", () => {
  const filter = (threads: string, below: DeviceOptions) =>
    node(laterWat(""), { ...FILTER, threads }, below);
  assert.equal(isParallel(filter("parallel", disk("d", "parallel"))), true);
  assert.equal(isParallel(filter("parallel", file("/dev/null"))), true);
  assert.equal(isParallel(filter("parallel", disk("d"))), false);
  assert.equal(isParallel(filter("serialized", file("/dev/null"))), false);
});

Deno.test("what could not be built leaves nothing open", () => {
  const path = Deno.makeTempFileSync();
  const before = [...Deno.readDirSync("/proc/self/fd")].length;
  const broken = node(
    laterWat(`(func (export "sb_ready") (result i32) (i32.const 28))`),
    FILTER,
    file(path),
  );
  assert.throws(() => build(broken), /cannot start plugin "test": ENOSPC/);
  assert.equal([...Deno.readDirSync("/proc/self/fd")].length, before);
  Deno.removeSync(path);
});

Deno.test("the view of a graph tells what each node can do and which one limits it", () => {
  const two = { ...FILTER, name: "two", version: "9", children: { minimum: 2, maximum: 2 } };
  const options = node(laterWat(PREAD_AND_SIZE), two, disk("a"), disk("b", "parallel"));
  const device = build(options);
  const opened = device.open("", { readOnly: false, peer: "" });
  const view = viewGraph(options, opened);
  assert.deepEqual(view.limits, ["no write", "no zero", "no fast zero"]);
  assert.deepEqual(view.children.map(({ name, can }) => [name, can.write, can.zero]), [
    ["a", "native", "emulate"],
    ["b", "native", "emulate"],
  ]);
  assert.deepEqual(graphLines(view), [
    "two 9 (filter, serialized)",
    "│  size 4096, read-only",
    "│  blocks 1 to 33554432, preferably 4096",
    "│  can multi conn",
    "│  limits: no write; no zero; no fast zero",
    "├─ a 1 (plugin, serialized)",
    "│     size 65536",
    "│     blocks 1 to 33554432, preferably 4096",
    "│     can write, zero (emulated), fast zero (emulated), multi conn",
    "│     limits: one thread",
    "└─ b 1 (plugin, parallel)",
    "      size 65536",
    "      blocks 1 to 33554432, preferably 4096",
    "      can write, zero (emulated), fast zero (emulated), multi conn",
  ]);
  opened.close();
  device.close();
});

Deno.test("the view of a graph tells which of several nodes side by side takes something away", () => {
  const path = Deno.makeTempFileSync();
  Deno.truncateSync(path, 65536);
  const two = { ...FILTER, threads: "parallel", children: { minimum: 2, maximum: 2 } };
  const options = node(laterWat(PREAD_AND_SIZE), two, disk("a"), file(path));
  const device = build(options);
  const opened = device.open("", { readOnly: false, peer: "" });
  const { limits, children } = viewGraph(options, opened);
  assert(!limits.includes("one thread"), "that is what stands below");
  for (const lost of ["no flush", "no fua", "no trim", "no extents", "one thread"]) {
    assert(children[0]!.limits.includes(lost), lost);
  }
  assert.deepEqual(children[1]!.limits, []);
  opened.close();
  device.close();
  Deno.removeSync(path);
});
