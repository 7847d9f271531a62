// SPDX-License-Identifier: MIT
// Every plugin and filter that comes with sandblock passes its own conformance kit.

import assert from "node:assert/strict";
import { run } from "../support/command.ts";
import { type ImageOptions, vdiImage } from "../../wasm-plugins/vdi/test_image.ts";
import { sandblock } from "../support/program.ts";

/** 1 MiB in blocks, some of which are holes. */
const SPARSE: ImageOptions = {
  blockBytes: 65536,
  map: Array.from({ length: 16 }, (_, i) => i % 3 === 0 ? "free" : i % 7 === 0 ? "zero" : i >> 1),
};

/** Files that arguments name. */
const folder = Deno.makeTempDirSync({ prefix: "sandblock-bundled-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

function file(name: string, contents: Uint8Array | string): string {
  const path = `${folder}/${name}`;
  if (typeof contents === "string") Deno.writeTextFileSync(path, contents);
  else Deno.writeFileSync(path, contents);
  return path;
}

/** 2 MiB, the second half of which is the first partition of an MBR. */
function partitioned(): Uint8Array {
  const image = new Uint8Array(2 * 1024 * 1024).map((_, index) => index >>> 9 & 255);
  image.fill(0, 0, 512);
  const table = new DataView(image.buffer);
  table.setUint8(446 + 4, 0x83);
  table.setUint32(446 + 8, 2048, true);
  table.setUint32(446 + 12, 2048, true);
  table.setUint16(510, 0xaa55, true);
  return image;
}

/**
 * Arguments of `plugin check` for those that need some, each a run of its own. A name that is not here is
 * checked without any.
 */
const ARGUMENTS: Record<string, string[][]> = {
  cache: [[], ["--allow", `write=${folder}`, `cache-file=${folder}/cache`, "cache-max-size=1M"]],
  checkwrite: [["--writes=same"]],
  data: [["data=1 2 @0x8000 3 @1048575 4"], ["data=0xff*5", "size=4097"]],
  extentlist: [[`extentlist=${file("extents", "0 1M\n")}`]],
  limit: [["limit=1000"]],
  memory: [["1M"], ["1000001"], ["5T"]],
  null: [["1M", "--writes=drop"]],
  ones: [["1000001", "--writes=drop"]],
  parity: [["create=true", "chunk=4K", "journal=128K"]],
  partition: [["partition=1", `--image=${file("partitioned", partitioned())}`]],
  protect: [["protect=0-", "--writes=same"]],
  pattern: [["1M", "--writes=same"], ["9223372036854775807", "--writes=same"]],
  random: [["1000001", "--writes=same"]],
  retry: [["retry-delay=1us", "retry-exponential=false"]],
  "sparse-random": [["1T", "--writes=same"]],
  vdi: [[`--image=${file("vdi", vdiImage(SPARSE))}`]],
  xor: [["xor-key=5a17"]],
  zero: [["1M"]],
  zoned: [["16M", "zone-size=1M", "conventional=2"], [
    "1G",
    "zone-capacity=12M",
    "max-open=2",
    "max-active=3",
  ]],
};

const { stdout } = new Deno.Command(sandblock()[0]!, {
  args: [...sandblock().slice(1), "plugin", "list", "--json"],
}).outputSync();
const names = (JSON.parse(new TextDecoder().decode(stdout)) as { name: string }[])
  .map(({ name }) => name).filter((name) => name !== "file");

Deno.test("only what is there has arguments here", () => {
  const unknown = Object.keys(ARGUMENTS).filter((name) => !names.includes(name));
  assert.deepEqual(unknown, []);
});

for (const name of names) {
  for (const args of ARGUMENTS[name] ?? [[]]) {
    Deno.test(`plugin check ${[name, ...args].join(" ")} finds nothing`, async () => {
      const command = [...sandblock(), "plugin", "check", name, ...args];
      const { code, stdout, stderr } = await run(command);
      const faults = stdout.split("\n").filter((line) => /^FAILED|note:/.test(line));
      assert.deepEqual([stderr, faults], ["", []]);
      assert.equal(code, 0);
    });
  }
}
