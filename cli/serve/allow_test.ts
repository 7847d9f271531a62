// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { NO_GRANTS } from "../../core/plugin/grants.ts";
import { readManifest } from "../../core/plugin/manifest.ts";
import { diskWat, plugin } from "../../core/plugin/test_plugins.ts";
import { Allowances } from "./allow.ts";

const manifest = (name: string, capabilities = {}) =>
  readManifest(plugin(diskWat(), { abi: "3.1", name, capabilities }));
const FILES = { read: {}, write: {} };

Deno.test("what names no node is for the plugin", () => {
  const allow = new Allowances(["read=/a:b", "write=/c/./d"]);
  assert.deepEqual(allow.of("x", manifest("x", FILES), true).files, [
    { path: "/a:b", write: false },
    { path: "/c/d", write: true },
  ]);
  assert.deepEqual(allow.of("y", manifest("y", FILES), false), NO_GRANTS);
  allow.checkNames();
});

Deno.test("a node is named as it is written or by its manifest", () => {
  const allow = new Allowances(["./my.wasm:read=/a", "other:clock"]);
  const mine = allow.of("./my.wasm", manifest("mine", FILES), false);
  assert.deepEqual(mine.files, [{ path: "/a", write: false }]);
  assert.equal(allow.of("./o.wasm", manifest("other", { clock: {} }), true).clock, true);
  allow.checkNames();
});

Deno.test("what comes with sandblock gets the clock and random numbers unasked, and no files", () => {
  const asking = manifest("x", { ...FILES, clock: {}, random: { required: true } });
  const grants = new Allowances([]).of("x", asking, false, true);
  assert.deepEqual(grants, { ...NO_GRANTS, clock: true, random: true });
  assert.deepEqual(new Allowances([]).of("x", manifest("x"), false, true), NO_GRANTS);
});

Deno.test("what cannot be meant is refused in one sentence", () => {
  const refused = (texts: string[], message: string, capabilities = {}) =>
    assert.throws(() => {
      const allow = new Allowances(texts);
      allow.of("disk", manifest("disk", capabilities), true);
      allow.checkNames();
    }, { message });
  refused(
    ["raed=/x"],
    'cannot allow "raed=/x": there is no capability "raed"; did you mean "read"?',
  );
  refused(["read"], 'cannot allow "read": it lacks the directory or file, as in read=/srv/images');
  refused(["clock=1"], 'cannot allow "clock=1": "clock" takes no value');
  const net = (text: string) =>
    refused(
      [text],
      `cannot allow "${text}": it lacks the host and port, as in net=example.org:10809`,
    );
  for (const text of ["net", "net=", "net=a", "net=a:0", "net=a:65536", "net=::1:9"]) net(text);
  refused(
    ["dsik:clock"],
    'cannot use --allow "dsik:...": no plugin or filter has this name; did you mean "disk"?',
  );
  refused(
    ["clock"],
    'cannot allow "disk" to know what time it is: it does not ask for that; it asks for random',
    { random: {} },
  );
  refused(
    [],
    'cannot start "disk": it has to read and write files (where it keeps blocks), ' +
      "which nobody has allowed; add --allow write=DIR",
    { write: { required: true, description: "where it keeps blocks" } },
  );
});

Deno.test("a grant that another node asks for says how that is written", () => {
  const others = [
    { name: "xor", manifest: manifest("xor") },
    { name: "./my.wasm", manifest: manifest("cache", FILES) },
  ];
  const grant = (text: string) => {
    new Allowances([text], others).of("file", manifest("file"), true);
  };
  assert.throws(() => grant("write=/ssd"), {
    message: 'cannot allow "file" to read and write files: it does not ask for that; ' +
      'write --allow ./my.wasm:write=/ssd for "./my.wasm", which does',
  });
  assert.throws(() => grant("clock"), /it asks for nothing/);
});
