// SPDX-License-Identifier: MIT
// Capabilities: what a manifest may ask for, and that nothing comes of what was not granted.

import assert from "node:assert/strict";
import { Errno } from "../block/errno.ts";
import { Command } from "../block/request.ts";
import { grantTexts, parseGrants } from "./grants.ts";
import { readManifest } from "./manifest.ts";
import { preparePlugin } from "./prepare.ts";
import { fails, TestPlugin } from "./test_device.ts";
import { diskWat, laterWat, plugin, RANGE } from "./test_plugins.ts";

const ALL = { read: {}, clock: {}, random: {} };

/** Reads answer 8 bytes: the value of `code`, an i64. */
function telling(code: string, imports: string[]): string {
  return laterWat(
    `(data (i32.const 16) "clockrandomreadwritecapabilitiesnothing")
    (func (export "sb_open") (param i32 i32 i32) (result i32) (i32.const 0))
    (func (export "sb_size") (param i32) (result i64) (i64.const 4096))
    (func (export "sb_pread") ${RANGE}
      (i64.store (i32.const 1024) ${code})
      (call $reply_data (local.get $req) (i64.const 0) (i32.const 1024) (local.get $count) (i32.const 0))
      (i32.const 0))`,
    ["reply_data", ...imports],
  );
}

function told(code: string, imports: string[], allow: string[]): bigint {
  const test = new TestPlugin(telling(code, imports), {
    manifest: { abi: "3.1", capabilities: ALL },
    grants: parseGrants(allow),
  });
  return new DataView(test.read(0, 8).slice().buffer).getBigInt64(0, true);
}

Deno.test("the clock is right where it was granted, and EPERM where not", () => {
  const clock = (which: number, allow: string[]) =>
    told(`(call $clock (i32.const ${which}))`, ["clock"], allow);
  assert.equal(clock(0, []), -1n);
  assert.equal(clock(1, ["random"]), -1n);
  const now = Number(clock(0, ["clock"]) / 1_000_000n);
  assert(Math.abs(now - Date.now()) < 10_000, String(now));
  assert(clock(1, ["clock"]) > 0n);
});

Deno.test("random numbers differ where they were granted, and memory stays as it is where not", () => {
  const random = (allow: string[]) =>
    told(
      `(block (result i64) (drop (call $random (i32.const 2048) (i32.const 8)))
        (i64.load (i32.const 2048)))`,
      ["random"],
      allow,
    );
  assert.equal(random([]), 0n);
  assert.notEqual(random(["random"]), random(["random"]));
});

Deno.test("a plugin can ask which capabilities it was granted", () => {
  const has = (at: number, length: number, allow: string[]) =>
    told(
      `(i64.extend_i32_s (call $feature (i32.const ${at}) (i32.const ${length})))`,
      ["feature"],
      allow,
    );
  assert.deepEqual([has(16, 5, ["clock"]), has(16, 5, ["random"])], [1n, 0n]);
  assert.deepEqual([has(27, 4, ["read=/"]), has(27, 4, [])], [1n, 0n]);
  assert.equal(has(31, 5, ["read=/"]), 0n, "to read is not to write");
  assert.deepEqual([has(36, 12, []), has(48, 7, [])], [1n, 0n]);
});

Deno.test("random and clock refuse what makes no sense", () => {
  const wrong = (code: string, message: RegExp) => {
    const test = new TestPlugin(telling(code, ["clock", "random"]), {
      manifest: { abi: "3.1", capabilities: ALL },
      grants: parseGrants(["clock", "random"]),
    });
    assert.equal(test.submit(Command.Read, { length: 8 }), Errno.EIO);
    assert.match(test.request.errorText, message);
  };
  const random = (at: string, length: string) =>
    `(i64.extend_i32_s (call $random (i32.const ${at}) (i32.const ${length})))`;
  wrong(random("0", "65537"), /random: 65537 bytes at once; 65536 are possible/);
  wrong(random("-8", "16"), /random: 16 bytes at 4294967288 are not in its memory/);
  wrong("(call $clock (i32.const 2))", /clock: there is no clock 2; they are 0 and 1/);
});

Deno.test("a plugin is not started without what it requires, nor with what it does not ask for", () => {
  const start = (capabilities: object, allow: string[]) => () =>
    new TestPlugin(diskWat(), {
      manifest: { abi: "3.1", capabilities },
      grants: parseGrants(allow),
    });
  fails(
    start({ clock: { required: true } }, []),
    Errno.EPERM,
    /which nobody has allowed; add --allow clock$/,
  );
  fails(start({}, ["clock"]), Errno.EPERM, /it does not ask for that; it asks for nothing$/);
  fails(start({ read: {} }, ["write=/"]), Errno.EPERM, /to read and write files: it does not ask/);
  start({ write: {} }, ["read=/"])();
});

Deno.test("grants are told in the words in which they were given", () => {
  const texts = ["read=/a", "write=/b:c", "net=h:1", "net=[::1]:2", "clock", "random", "logging"];
  assert.deepEqual(grantTexts(parseGrants(texts)), texts);
  assert.deepEqual(grantTexts(parseGrants([])), []);
});

Deno.test("a manifest asks for capabilities by name, each with two keys at most", () => {
  const asked = (capabilities: unknown) =>
    readManifest(plugin(diskWat(), { abi: "3.1", capabilities })).node!.capabilities;
  assert.deepEqual(asked({ read: { required: true, description: "x" }, net: {} }), [
    { name: "read", required: true, description: "x" },
    { name: "net", required: false, description: "" },
  ]);
  const refused = (capabilities: unknown, message: RegExp) =>
    assert.throws(() => asked(capabilities), { name: "PluginError", message });
  refused([], /has a wrong "capabilities": it must be an object/);
  refused({ raed: {} }, /there is none called "raed"; did you mean "read"\?/);
  refused({ constructor: {} }, /there is none called "constructor"/);
  refused(
    { read: { need: true } },
    /the capability "read" of its manifest has the unknown key "need"/,
  );
  refused({ read: true }, /the capability "read" of its manifest is not an object/);
});

Deno.test("functions of a capability may only be imported by who asks for it", () => {
  const refused = (name: string, capabilities: object, message: RegExp) =>
    assert.throws(
      () => preparePlugin(plugin(telling("(i64.const 0)", [name]), { abi: "3.1", capabilities })),
      { message },
    );
  refused(
    "clock",
    {},
    /imports the function "clock", but its manifest asks for no capability "clock"/,
  );
  refused("file_open", { clock: {} }, /asks for no capability "read" or "write"/);
  preparePlugin(plugin(telling("(i64.const 0)", ["file_open"]), {
    abi: "3.1",
    capabilities: { write: {} },
  }));
});
