// SPDX-License-Identifier: MIT
// The bundled plugins in the real host: each loads, keeps the ABI, and imports nothing else.

import assert from "node:assert/strict";
import { Command, Request } from "../core/block/request.ts";
import { spaceIn } from "../core/block/testing.ts";
import { type ExportInfo, Support } from "../core/block/export.ts";
import type { OpenExport } from "../core/block/device.ts";
import { PluginDevice } from "../core/plugin/instance.ts";
import { readManifest } from "../core/plugin/manifest.ts";
import { parseParameters } from "../core/plugin/parameters.ts";
import { preparePlugin } from "../core/plugin/prepare.ts";
import { Section } from "../core/plugin/wasm/format.ts";
import { readSections } from "../core/plugin/wasm/sections.ts";
import { Watchdog } from "../core/plugin/watch.ts";
import { bundledNames, compilePlugin } from "./build.ts";

/** Arguments for each plugin, and the first four bytes of its disk then. */
const PLUGINS: Record<string, [args: string[], start: string]> = {
  data: [["1 2 3", "size=1M"], "01020300"],
  memory: [["1M"], "00000000"],
  null: [["1M"], "00000000"],
  ones: [["1M", "byte=7"], "07070707"],
  pattern: [["1M"], "00000000"],
  random: [["1M"], "afcd1d7b"],
  "sparse-random": [["1M", "percent=0"], "00000000"],
  zero: [["1M"], "00000000"],
  zoned: [["1M", "zone-size=256K"], "00000000"],
};

/** Those that cannot be written. */
const READ_ONLY = ["zero"];

const files = new Map<string, Uint8Array<ArrayBuffer>>();
for (const name of bundledNames()) {
  const bytes = await compilePlugin(name);
  // What stands on others has tests of its own.
  if (readManifest(bytes).kind === "plugin") files.set(name, bytes);
}

function withPlugin(
  name: string,
  use: (device: PluginDevice, opened: OpenExport, log: string[]) => void,
): void {
  const prepared = preparePlugin(files.get(name)!);
  const values = parseParameters(prepared.manifest.parameters, PLUGINS[name]![0]);
  const watchdog = new Watchdog();
  const log: string[] = [];
  const options = {
    watch: watchdog.watch(10_000),
    log: (_level: string, text: string) => void log.push(text),
    instances: 1,
  };
  try {
    const device = PluginDevice.create(prepared, values, options);
    const opened = device.open("", { readOnly: false, peer: "test" });
    use(device, opened, log);
    opened.close();
    device.close();
  } finally {
    watchdog.stop();
  }
}

function request(device: PluginDevice, command: number, offset: number, length: number): Request {
  const made = new Request();
  made.space = spaceIn(device.memory);
  made.command = command;
  made.offsetLow = offset;
  made.lengthLow = length;
  return made;
}

/** The bytes that a read was answered with. */
function answer(device: PluginDevice, read: Request): Uint8Array {
  const bytes = new Uint8Array(read.length);
  for (let index = 0; index < read.pieceCount; index++) {
    const value = read.pieceValue(index);
    const at = read.pieceAt(index);
    if (value !== 0) {
      const pointer = value - device.memory.address;
      bytes.set(device.memory.bytes.subarray(pointer, pointer + read.pieceLength(index)), at);
    }
  }
  return bytes;
}

Deno.test("the table here has all of the bundled plugins", () => {
  assert.deepEqual([...files.keys()], Object.keys(PLUGINS).sort());
});

for (const [name, [, start]] of Object.entries(PLUGINS)) {
  Deno.test(`${name} answers every kind of request in the real host`, () => {
    withPlugin(name, (device, opened, log) => {
      const { info } = opened;
      assert.equal(info.sizeLow, 1 << 20);
      assert.equal(info.can.write, READ_ONLY.includes(name) ? Support.None : Support.Native);
      assert.equal(info.can.multiConn, Support.Native);
      const read = request(device, Command.Read, 0, 4);
      assert.equal(opened.submit(read), 0);
      assert.equal(answer(device, read).toHex(), start);
      for (const command of commands(info)) {
        const one = request(device, command, 0, 8);
        const pointer = device.memory.allocate(8, 16);
        one.payload = device.memory.address + pointer;
        device.memory.bytes.set(answer(device, read), pointer);
        const errno = opened.submit(one);
        // Disks that cannot be changed say so; everything else has to work.
        assert(errno === 0 || (errno === 5 && one.errorText.includes("cannot be changed")), name);
      }
      assert.deepEqual(log, []);
    });
  });
}

function commands({ can }: ExportInfo): number[] {
  const list: number[] = [Command.Read];
  if (can.write) list.push(Command.Write);
  if (can.flush) list.push(Command.Flush);
  if (can.trim) list.push(Command.Trim);
  if (can.cache) list.push(Command.Cache);
  if (can.zero) list.push(Command.WriteZeroes);
  if (can.extents) list.push(Command.BlockStatus);
  return list;
}

Deno.test("plugins that run several times at once keep nothing that is written", () => {
  for (const [name, file] of files) {
    const { manifest } = preparePlugin(file);
    assert.equal(
      manifest.threads === "serialized",
      ["data", "memory", "zoned"].includes(name),
      name,
    );
  }
});

for (const [name, file] of files) {
  Deno.test(`${name} imports and exports nothing but the ABI and has no start function`, () => {
    const module = new WebAssembly.Module(file);
    assert(WebAssembly.Module.imports(module).every(({ module }) => module === "sandblock:v3"));
    const others = WebAssembly.Module.exports(module).filter(({ name }) => !name.startsWith("sb_"));
    assert.deepEqual(others.map(({ name }) => name), ["memory"]);
    assert(!readSections(file).some(({ id }) => id === Section.Start));
  });
}
