// SPDX-License-Identifier: MIT
// The specification, the C header and the host agree, and plugins in C work.

import assert from "node:assert/strict";
import { FileDevice } from "../../core/backend/file.ts";
import { FILE_MANIFEST } from "../../core/backend/file_manifest.ts";
import { GrantedFiles } from "../../core/backend/granted_files.ts";
import { HostMemory } from "../../core/backend/host_memory.ts";
import { TestClient } from "../../core/backend/testing.ts";
import { Command, Request } from "../../core/block/request.ts";
import { ZoneCommand } from "../../core/block/zones.ts";
import {
  ABI_MAJOR,
  ABI_MINOR,
  type AbiFunction,
  CallFlag,
  EXPORTS,
  IMPORTS,
  Value,
} from "../../core/plugin/abi.ts";
import { PoolDevice } from "../../core/plugin/blocking/pool.ts";
import { Errno } from "../../core/block/errno.ts";
import { parseGrants } from "../../core/plugin/grants.ts";
import { INFO_BYTES, INFO_BYTES_MIN } from "../../core/plugin/info.ts";
import { PluginDevice } from "../../core/plugin/instance.ts";
import { parseParameters } from "../../core/plugin/parameters.ts";
import { type PreparedPlugin, preparePlugin } from "../../core/plugin/prepare.ts";
import { Watchdog } from "../../core/plugin/watch.ts";

const read = (name: string) => Deno.readTextFileSync(new URL(name, import.meta.url));
const README = read("README.md");
const HEADER = read("sandblock.h");

/** Functions and their types in the tables of the specification. */
function tabledFunctions(): Map<string, string> {
  const rows = README.matchAll(/^\| `([a-z_]+)` +\| `\((.*?)\)(?: -> (\w+))?` +\|/gm);
  return new Map([...rows].map(([, name, parameters, result]) => {
    const types = parameters!.split(", ").filter(Boolean).map((one) => one.split(" ")[1]);
    return [name!, `(${types.join(", ")}) -> ${result ?? "()"}`];
  }));
}

function signature({ parameters, results }: AbiFunction): string {
  const names = new Map([[Value.I32, "i32"], [Value.Count, "i64"], [Value.BigInt, "i64"], [
    Value.Pointer,
    "P",
  ]] as [number, string][]);
  const list = parameters.map((value) => names.get(value)).join(", ");
  return `(${list}) -> ${names.get(results[0]!) ?? "()"}`;
}

Deno.test("the specification lists every function with the type that the host checks", () => {
  const tabled = tabledFunctions();
  for (const [name, abi] of [...EXPORTS, ...IMPORTS]) {
    const row = new RegExp(`^\\| \`${name}\` +\\| the same +\\|`, "m");
    const type = row.test(README) ? tabled.get("sb_trim") : tabled.get(name);
    assert.equal(type, signature(abi), name);
  }
  for (const name of tabled.keys()) assert(EXPORTS.has(name) || IMPORTS.has(name), name);
  assert(README.startsWith(`# Plugin ABI ${ABI_MAJOR}.${ABI_MINOR},`));
  const [, bytes, before] = /^\| 0 +\| `struct_size` +\| (\d+); .* 3\.1 (\d+) /m.exec(README)!;
  assert.deepEqual([bytes, before], [`${INFO_BYTES}`, `${INFO_BYTES_MIN}`]);
  for (const [, flag, value] of README.matchAll(/^\| ([A-Z_]+) +\| (\d+) +\|/gm)) {
    const name = flag!.toLowerCase().replaceAll("_", "");
    const known = Object.entries(CallFlag).find(([key]) => key.toLowerCase() === name);
    assert.equal(known?.[1], Number(value), flag);
  }
});

Deno.test("the header declares every function of the ABI", () => {
  const names = (pattern: RegExp) => [...HEADER.matchAll(pattern)].map(([, name]) => name).sort();
  assert.deepEqual(names(/SB_IMPORT\("(\w+)"\)/g), [...IMPORTS.keys()].sort());
  assert.deepEqual(names(/SB_EXPORT\("(\w+)"\)/g), [...EXPORTS.keys()].sort());
});

Deno.test("the header's numbers are the host's", () => {
  const numbers = new Map(
    [...HEADER.matchAll(/\bSB_([A-Z_]+) = (\d+)/g)].map((
      [, name, value],
    ) => [name!, Number(value)]),
  );
  for (const [name, value] of numbers) {
    if (name in Errno) assert.equal(value, Errno[name as keyof typeof Errno], name);
  }
  assert.equal(numbers.get("FUA"), CallFlag.Fua);
  assert.equal(numbers.get("MAY_TRIM"), CallFlag.MayTrim);
  assert.equal(numbers.get("FAST_ZERO"), CallFlag.FastZero);
  assert.equal(numbers.get("REQ_ONE"), CallFlag.ReqOne);
  assert.equal(numbers.get("WHOLE"), CallFlag.Whole);
});

Deno.test("the RAM disk in the specification's words is about 20 lines of C", () => {
  const lines = read("examples/ramdisk.c").split("\n").filter((line) => /\S/.test(line));
  assert(lines.length <= 32, `${lines.length} lines`);
});

/** Whether the compiler and linker for C are there. */
function hasTools(): boolean {
  try {
    return ["clang", "wasm-ld"].every((tool) => {
      return new Deno.Command(tool, { args: ["--version"], stdout: "null" }).outputSync().success;
    });
  } catch {
    return false;
  }
}

const missing = !hasTools();
if (missing) {
  console.warn(
    "MISSING clang and wasm-ld: the plugins in C are NOT tested (apt install clang lld)",
  );
}

/** Compiles an example; warnings are errors. */
async function compile(name: string, bits: 32 | 64): Promise<PreparedPlugin> {
  const folder = import.meta.dirname!;
  const out = await Deno.makeTempFile({ suffix: ".wasm" });
  try {
    const flags = `--target=wasm${bits} -O2 -Wall -Wextra -Werror -Wno-unused-parameter ` +
      `-mbulk-memory -nostdlib -Wl,--no-entry -Wl,-mwasm${bits}`;
    const { success, stderr } = await new Deno.Command("clang", {
      args: [...flags.split(" "), `-I${folder}`, "-o", out, `${folder}/examples/${name}`],
    }).output();
    assert(success, new TextDecoder().decode(stderr));
    return preparePlugin(await Deno.readFile(out));
  } finally {
    await Deno.remove(out);
  }
}

for (const bits of [32, 64] as const) {
  Deno.test({
    name: `a RAM disk in C keeps what is written, wasm${bits} (needs clang and wasm-ld)`,
    ignore: missing,
    fn: async () => {
      const prepared = await compile("ramdisk.c", bits);
      assert.equal(prepared.memories[0]!.is64, bits === 64);
      const values = parseParameters(prepared.manifest.parameters, ["1M"]);
      const device = PluginDevice.create(prepared, values, {
        watch: new Watchdog().watch(1000),
        log: (_level, text) => assert.fail(text),
        instances: 1,
      });
      const opened = device.open("", { readOnly: false, peer: "" });
      assert.equal(opened.info.sizeLow, 1048576);
      const { memory } = device;
      const model = new Uint8Array(1048576);
      const request = new Request();
      let seed = 1;
      for (let round = 0; round < 200; round++) {
        const random = (below: number) => {
          seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
          return (seed >>> 8) % below;
        };
        const offset = random(1048576 - 70000);
        const length = 1 + random(70000);
        const payload = memory.allocate(length, 16);
        memory.bytes.fill(round, payload, payload + length);
        model.fill(round, offset, offset + length);
        Object.assign(request, { command: Command.Write, payload: memory.address + payload });
        Object.assign(request, { offsetLow: offset, lengthLow: length });
        assert.equal(opened.submit(request), 0);
        memory.free(payload, length, 16);
      }
      request.clear();
      Object.assign(request, { command: Command.Read, offsetLow: 0, lengthLow: 1048576 });
      assert.equal(opened.submit(request), 0);
      const at = request.pieceValue(0) - memory.address;
      assert.deepEqual(memory.bytes.subarray(at, at + 1048576), model);
    },
  });
}

Deno.test({
  name: "a disk image in C reads and writes the file that it was granted (needs clang and wasm-ld)",
  ignore: missing,
  fn: async () => {
    const prepared = await compile("image.c", 32);
    const path = await Deno.makeTempFile();
    await Deno.truncate(path, 100_000);
    const grants = parseGrants([`write=${path}`]);
    const log = (_level: string, text: string) => assert.fail(text);
    const device = PluginDevice.create(
      prepared,
      parseParameters(prepared.manifest.parameters, [path]),
      {
        watch: new Watchdog().watch(10_000),
        log,
        instances: 1,
        grants,
        files: new GrantedFiles(grants.files, { log }),
      },
    );
    const disk = new TestClient(device, device.open("", { readOnly: false, peer: "" }));
    assert.equal(disk.opened.info.sizeLow, 100_000);
    const bytes = Uint8Array.from({ length: 50_000 }, (_, i) => i * 13 & 255);
    disk.write(12_345, bytes);
    disk.flush();
    assert.deepEqual(Deno.readFileSync(path).subarray(12_345, 62_345), bytes);
    assert.deepEqual(disk.read(12_345, 50_000), bytes);
    disk.trim(16_384, 4096);
    assert.deepEqual(disk.read(16_384, 4096), new Uint8Array(4096));
    disk.close();
    await Deno.remove(path);
  },
});

Deno.test({
  name: "a filter in C waits for a table, then for what it says (needs clang and wasm-ld)",
  ignore: missing,
  fn: async () => {
    const prepared = await compile("lookup.c", 32);
    const path = await Deno.makeTempFile();
    const table = [3, 0, 1, 2, 0, 3];
    const image = Uint8Array.from({ length: 4 * 4096 }, (_, i) => i < 4096 ? 0 : (i >> 12) * 50);
    new Uint32Array(image.buffer).set(table);
    await Deno.writeFile(path, image);
    const log: string[] = [];
    const watchdog = new Watchdog();
    const device = PoolDevice.create(
      prepared,
      parseParameters(prepared.manifest.parameters, ["blocks=6"]),
      {
        watch: watchdog.watch(10_000),
        watches: [1, 2, 3].map(() => watchdog.watch(10_000)),
        log: (_level, text) => void log.push(text),
        instances: 1,
        restart: "fail",
        hostMemory: new HostMemory(),
        children: [FileDevice.create(parseParameters(FILE_MANIFEST.parameters, [path]), {
          log: (_level, text) => void log.push(text),
        })],
      },
    );
    const disk = new TestClient(device, device.open("", { readOnly: false, peer: "" }));
    const expected = Uint8Array.from({ length: 6 * 4096 }, (_, i) => table[i >> 12]! * 50);
    const requests = [0, 1, 2, 3, 4, 5].map((i) => disk.request(Command.Read, i * 4000, 4096n, 0));
    assert.deepEqual(disk.together(requests), [0, 0, 0, 0, 0, 0]);
    assert.deepEqual(disk.read(100, expected.length - 100), expected.subarray(100));
    assert.equal(disk.readPartly(4096, 4096).holes, 4096);
    disk.close();
    watchdog.stop();
    assert.deepEqual(log, []);
    await Deno.remove(path);
  },
});

Deno.test({
  name: "a disk in C answers ioctls, and erases for good (needs clang and wasm-ld)",
  ignore: missing,
  fn: async () => {
    const prepared = await compile("label.c", 32);
    const device = PluginDevice.create(
      prepared,
      parseParameters(prepared.manifest.parameters, ["1M"]),
      {
        watch: new Watchdog().watch(1000),
        log: (_level, text) => assert.fail(text),
        instances: 1,
      },
    );
    const disk = new TestClient(device, device.open("", { readOnly: false, peer: "" }));
    const label = (text: string) => new TextEncoder().encode(text.padEnd(32, "\0"));
    const swap = 0xc0202a01;
    assert.deepEqual(disk.ioctl(swap, label("first")), label(""));
    assert.deepEqual(disk.ioctl(swap, label("second")), label("first"));
    disk.ioctl(0x2a02, new Uint8Array());
    assert.deepEqual(disk.ioctl(swap, label("")), label(""));
    const sum = disk.ioctl(0xffff2a03, new Uint8Array(16383).fill(3));
    assert.equal(new DataView(sum.buffer).getUint32(0, true), 3 * 16383);
    disk.ioctl(0x40042a06, Uint8Array.of(3, 0, 0, 0));
    assert.equal(disk.pended, 1);
    assert.throws(() => disk.ioctl(0x2a04, new Uint8Array()), { errno: Errno.ENOTTY });
    assert.throws(() => disk.ioctl(swap, new Uint8Array(32).fill(65)), { errno: Errno.EINVAL });
    disk.write(0, new Uint8Array(12288).fill(7));
    disk.secureErase(4096, 4096);
    assert.deepEqual(disk.read(4096, 4096), new Uint8Array(4096));
    assert.deepEqual(disk.read(8192, 4096), new Uint8Array(4096).fill(7));
    disk.close();
  },
});

Deno.test({
  name: "a disk of zones in C keeps to their rules (needs clang and wasm-ld)",
  ignore: missing,
  fn: async () => {
    const device = PluginDevice.create(await compile("zones.c", 32), [], {
      watch: new Watchdog().watch(1000),
      log: (_level, text) => assert.fail(text),
      instances: 1,
    });
    const disk = new TestClient(device, device.open("", { readOnly: false, peer: "" }));
    const { size } = disk.opened.info.zones!;
    const block = new Uint8Array(4096).fill(5);
    const append = disk.writeRequest(size, block, 0);
    append.command = ZoneCommand.Append;
    disk.write(size, new Uint8Array(8192).fill(3));
    assert.equal(disk.opened.submit(append), 0);
    assert.equal(append.pieceValue(0), size + 8192);
    assert.throws(() => disk.write(size, block), { errno: Errno.EIO });
    assert.deepEqual(disk.read(size + 8192, 4096), block);
    const written = () => {
      const report = disk.request(ZoneCommand.Report, 0, BigInt(16 * size), 0);
      assert.equal(disk.opened.submit(report), 0, report.errorText);
      return Array.from({ length: report.pieceCount }, (_, i) => report.pieceLength(i));
    };
    assert.deepEqual(written(), Array.from({ length: 16 }, (_, i) => i === 1 ? 12288 : 0));
    assert.equal(disk.opened.submit(disk.request(ZoneCommand.Reset, size, BigInt(size), 0)), 0);
    assert.deepEqual(written(), new Array(16).fill(0));
    assert.deepEqual(disk.read(size, 4096), new Uint8Array(4096));
    disk.close();
  },
});
