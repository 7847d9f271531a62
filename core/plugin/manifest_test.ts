// SPDX-License-Identifier: MIT
// What a manifest may say, and the one sentence about each thing that it may not.

import assert from "node:assert/strict";
import { MANIFEST_BYTES_MAX, readManifest, writeManifest } from "./manifest.ts";
import { assemble, manifestJson, plugin } from "./test_plugins.ts";
import { withCustomSection } from "./wasm/sections.ts";

const MODULE = assemble("(module)");

/** The manifest with `more` is refused with `message`. */
function refuses(more: Record<string, unknown>, message: RegExp): void {
  const content = new TextEncoder().encode(manifestJson(more));
  const module = withCustomSection(MODULE, "sandblock.manifest", content);
  assert.throws(() => readManifest(module), { name: "PluginError", message });
}

const parameter = (more: Record<string, unknown>) => ({ parameters: [{ name: "p", ...more }] });

Deno.test("a manifest is read with everything filled in that it leaves out", () => {
  assert.deepEqual(readManifest(plugin("(module)", { description: undefined })), {
    abi: "3.0",
    name: "test",
    version: "1",
    kind: "plugin",
    description: "",
    threads: "serialized",
    parameters: [],
    limits: {},
  });
});

Deno.test("a full manifest is read as it is", () => {
  const manifest = {
    threads: "parallel",
    limits: { memory: 1048576 },
    parameters: [
      { name: "size", type: "size", description: "d", required: true, positional: true },
      { name: "n", type: "int", description: "", default: "3", minimum: "-1", maximum: "7" },
      { name: "mode", type: "enum", description: "", default: "b", values: ["a", "b"] },
      { name: "l", type: "list", description: "", repeated: true },
    ],
  };
  const read = readManifest(plugin("(module)", manifest));
  assert.deepEqual(read.parameters, manifest.parameters);
  assert.deepEqual(read.limits, manifest.limits);
  assert.equal(read.threads, "parallel");
  assert.deepEqual(structuredClone(read), read);
});

Deno.test("numbers and booleans may stand for the text of a value, sizes for bytes", () => {
  const read = readManifest(plugin("(module)", {
    limits: { memory: "64M" },
    parameters: [
      { name: "n", type: "size", default: 4096, minimum: 0 },
      { name: "b", type: "bool", default: false },
    ],
  }));
  assert.deepEqual(read.parameters.map((one) => one.default), ["4096", "false"]);
  assert.deepEqual(read.limits, { memory: 67108864 });
});

Deno.test("what is no plugin is told so", () => {
  const refuse = (bytes: Uint8Array, message: RegExp) => {
    assert.throws(() => readManifest(bytes), { name: "PluginError", message });
  };
  refuse(new TextEncoder().encode("hello"), /^not a WebAssembly module$/);
  refuse(MODULE, /^not a plugin: it has no section "sandblock.manifest"$/);
  const section = (bytes: Uint8Array) => withCustomSection(MODULE, "sandblock.manifest", bytes);
  refuse(section(Uint8Array.of(0xff)), /^its manifest is not JSON: it is not UTF-8$/);
  refuse(section(new TextEncoder().encode("{")), /^its manifest is not JSON: /);
  refuse(section(new TextEncoder().encode("[]")), /^its manifest is not an object$/);
  refuse(section(new TextEncoder().encode("null")), /^its manifest is not an object$/);
  const large = new TextEncoder().encode(" ".repeat(MANIFEST_BYTES_MAX + 1));
  refuse(section(large), /^its manifest is 65537 bytes long; it may have 65536$/);
  const one = plugin("(module)");
  const twice = Uint8Array.from([...one, ...one.slice(8)]);
  refuse(twice, /^it has more than one section "sandblock.manifest"$/);
});

Deno.test("another ABI than this one is refused, an older minor is not", () => {
  refuses({ abi: "4.0" }, /^it needs plugin ABI 4.0; this sandblock speaks 3.2$/);
  refuses({ abi: "2.9" }, /^it needs plugin ABI 2.9; this sandblock speaks 3.2$/);
  refuses({ abi: "3.3" }, /^it needs plugin ABI 3.3; this sandblock speaks 3.2$/);
  refuses({ abi: "3" }, /^its manifest has a wrong "abi": it must be a version like "3.2"$/);
  refuses({ abi: 3 }, /^its manifest has a wrong "abi": it must be a string$/);
  refuses({ abi: undefined }, /^its manifest lacks "abi"$/);
});

Deno.test("each field is checked", () => {
  refuses(
    { paramters: [] },
    /^its manifest has the unknown key "paramters"; did you mean "parameters"\?$/,
  );
  refuses({ name: "a b" }, /^its manifest has a wrong "name": it may have letters, digits/);
  refuses({ name: "" }, /"name"/);
  refuses({ name: "x".repeat(65) }, /"name": it may be 64 characters long$/);
  refuses({ name: undefined }, /^its manifest lacks "name"$/);
  refuses({ version: "1\n2" }, /^its manifest has a wrong "version": it must be one line$/);
  refuses({ kind: "filter" }, /^its manifest has a wrong "kind": it must be "plugin"/);
  refuses({ threads: "paralell" }, /"serialized" or "parallel"; did you mean "parallel"\?$/);
  refuses({ description: 5 }, /^its manifest has a wrong "description": it must be a string$/);
  refuses({ limits: { memory: -1 } }, /^"limits" of its manifest has a wrong "memory"/);
  refuses({ limits: { memory: "1Q" } }, /"memory": unknown suffix "Q"/);
  refuses({ limits: { cpu: 1 } }, /^"limits" of its manifest has the unknown key "cpu"$/);
  refuses({ parameters: {} }, /^"parameters" of its manifest is not a list$/);
});

Deno.test("each field of a parameter is checked", () => {
  refuses({ parameters: [{}] }, /^parameter 1 of its manifest lacks "name"$/);
  refuses({ parameters: [3] }, /^parameter 1 of its manifest is not an object$/);
  refuses({ parameters: [{ name: "a=b" }] }, /^parameter 1 of its manifest has a wrong "name"/);
  refuses(parameter({}), /^parameter "p" of its manifest lacks "type"$/);
  refuses(parameter({ type: "number" }), /"type": it must be "string" or "int" or /);
  refuses(parameter({ type: "int", required: 1 }), /"required": it must be true or false$/);
  refuses(
    parameter({ type: "string", minimum: "1" }),
    /"minimum": a parameter of type string has none$/,
  );
  refuses(parameter({ type: "int", minimum: "x" }), /"minimum": not an integer$/);
  refuses(
    parameter({ type: "int", minimum: "2", maximum: "1" }),
    /"minimum": it is larger than the/,
  );
  refuses(parameter({ type: "enum" }), /"values": it must be a list of 1 to 256 words$/);
  refuses(parameter({ type: "enum", values: ["a", "a"] }), /"values": one stands there twice$/);
  refuses(parameter({ type: "enum", values: [""] }), /"values": each must be a string/);
  refuses(parameter({ type: "int", values: ["a"] }), /"values": only a parameter of type enum/);
  refuses(
    parameter({ type: "enum", values: ["a"], default: "b" }),
    /"default": cannot parse p "b"/,
  );
  refuses(parameter({ type: "int", default: "1", required: true }), /"default": a required/);
  refuses(parameter({ type: "secret", default: "x" }), /"default": a secret has none$/);
  refuses(
    parameter({ type: "int", default: 1.5 }),
    /"default": it must be a string, a whole number/,
  );
  refuses(parameter({ type: "int", default: 2 ** 60 }), /"default": it must be a string, a whole/);
  const two = [{ name: "p", type: "int" }, { name: "p", type: "int" }];
  refuses({ parameters: two }, /^its manifest has two parameters called "p"$/);
  const positional = ["a", "b"].map((name) => ({ name, type: "int", positional: true }));
  refuses({ parameters: positional }, /^its manifest has more than one positional parameter$/);
  const many = Array.from({ length: 257 }, (_, index) => ({ name: `p${index}`, type: "int" }));
  refuses({ parameters: many }, /^its manifest has 257 parameters; it may have 256$/);
});

Deno.test("writeManifest replaces a manifest and refuses a wrong one", () => {
  const packed = writeManifest(plugin("(module)"), manifestJson({ name: "other" }));
  assert.equal(readManifest(packed).name, "other");
  assert.throws(() => writeManifest(MODULE, "{}"), { name: "PluginError" });
  assert.throws(() => writeManifest(new Uint8Array(4), manifestJson()), {
    message: "not a WebAssembly module",
  });
});

Deno.test("what came with 3.1 is checked field by field, and unknown to 3.0", () => {
  const since = (more: Record<string, unknown>) => ({ abi: "3.1", ...more });
  const filter = (more: Record<string, unknown>) => since({ kind: "filter", ...more });
  refuses({ kind: "filter" }, /"kind": it must be "plugin"/);
  refuses({ needs: [] }, /^its manifest has the unknown key "needs"/);
  refuses(since({ children: {} }), /"children": only a filter has something below it$/);
  refuses(filter({ children: { minimum: 0 } }), /"minimum": it must be a number from 1 to 64$/);
  refuses(filter({ children: { minimum: 3, maximum: 2 } }), /"maximum": .* from 3 to 64$/);
  refuses(filter({ calls: { pwrite: "skip" } }), /"pwrite": it must be "forward" or "transform"$/);
  refuses(filter({ calls: { sb_pwrite: "forward" } }), /has the unknown key "sb_pwrite"/);
  refuses(since({ needs: "timers" }), /"needs": it must be a list of words$/);
  refuses(
    since({ metrics: [{ name: "a", type: "sum" }] }),
    /"type": it must be "counter" or "gauge"/,
  );
  const twice = [{ name: "a", type: "gauge" }, { name: "a", type: "gauge" }];
  refuses(since({ metrics: twice }), /"metrics": "a" is there twice$/);
  refuses(since({ whole_writes: 1 }), /"whole_writes": it must be true or false$/);
  refuses(since({ alignment: 24 }), /"alignment": it must be a power of two, 1 to 4096$/);
});
