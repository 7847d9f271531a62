// SPDX-License-Identifier: MIT
// Secure erase and ioctls through bundled filters: what they let pass, what they move, what they refuse.

import assert from "node:assert/strict";
import { Errno } from "../core/block/errno.ts";
import type { DeviceOptions } from "../core/control/options.ts";
import { preparePlugin } from "../core/plugin/prepare.ts";
import { diskWat, plugin } from "../core/plugin/test_plugins.ts";
import { client, fill, node, useNodes } from "./test_graph.ts";
import { assertSameBytes } from "./test_nodes.ts";

const KIB = 1024;
const PASSING = ["exportname", "limit", "noextents", "nofua", "stats"];
const REFUSING = ["cow", "notrim", "readonly"];
await useNodes("memory", "offset", "protect", "log", "xor", ...PASSING, ...REFUSING);

/** A disk whose every ioctl succeeds. */
const WILLING: DeviceOptions = {
  kind: "plugin",
  prepared: preparePlugin(plugin(
    diskWat(
      {},
      '(func (export "sb_ioctl") (param i32 i32 i32 i32 i32) (result i32) (i32.const 0))' +
        '(func (export "sb_secure_erase") (param i32 i32 i64 i64 i32) (result i32) (i32.const 0))',
    ),
    { abi: "3.2" },
  )),
  values: [],
  children: [],
};

Deno.test("what a filter says of secure erase and ioctls", () => {
  const can = (line: string) => {
    const disk = client(node(line, WILLING));
    const { secureErase, ioctl } = disk.opened.info.can;
    if (ioctl) disk.ioctl(0x2a01, new Uint8Array());
    else assert.throws(() => disk.ioctl(0x2a01, new Uint8Array()), { errno: Errno.ENOTTY });
    if (secureErase) disk.secureErase(0, 512);
    else assert.throws(() => disk.secureErase(0, 512), { errno: Errno.EOPNOTSUPP });
    disk.close();
    return `${secureErase}${ioctl}`;
  };
  for (const name of PASSING) assert.equal(can(name), "22", name);
  for (const name of REFUSING) assert.equal(can(name), "00", name);
  assert.equal(can("offset"), "20");
  assert.equal(can("protect protect=1M-"), "20");
  assert.equal(can("log"), "22");
});

Deno.test("memory: what was erased is zero, and takes no memory", () => {
  const disk = client(node("memory 1M"));
  const bytes = fill(256 * KIB, 3);
  disk.write(0, bytes);
  disk.secureErase(10_000, 100_000);
  bytes.fill(0, 10_000, 110_000);
  assertSameBytes(disk.read(0, bytes.length), bytes);
  assert(disk.extents(0, 256 * KIB).some(({ length, flags }) => length > 90_000 && flags === 3));
  disk.close();
});

Deno.test("offset: the right range is erased", () => {
  for (const above of ["offset offset=64K", "xor xor-key=00"]) {
    const disk = client(node(above, node("memory 1M")));
    const bytes = fill(128 * KIB, 9);
    disk.write(0, bytes);
    disk.secureErase(4096, 8192);
    bytes.fill(0, 4096, 12_288);
    assertSameBytes(disk.read(0, bytes.length), bytes);
    disk.close();
  }
});

Deno.test("protect: nothing that is protected can be erased, not even with what is there", () => {
  const disk = client(node("protect protect=65536-131071", node("memory 1M")));
  assert.throws(() => disk.secureErase(60 * KIB, 8 * KIB), { errno: Errno.EPERM });
  assert.throws(() => disk.secureErase(100 * KIB, 512), { errno: Errno.EPERM });
  disk.secureErase(0, 64 * KIB);
  disk.secureErase(128 * KIB, 512);
  disk.close();
});

Deno.test("log: both are written down", () => {
  const lines: string[] = [];
  const disk = client(node("log", WILLING), lines);
  disk.secureErase(4096, 512);
  disk.ioctl(0xc0042a01, new Uint8Array(4));
  disk.close();
  const text = lines.join("\n");
  assert.match(text, /SecureErase id=1 offset=0x1000 count=0x200 \.\.\./);
  assert.match(text, /Ioctl id=2 number=0xc0042a01 \.\.\./);
  assert.match(text, /\.\.\.Ioctl id=2 return=0 /);
});
