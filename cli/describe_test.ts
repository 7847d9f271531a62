// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import {
  bytesText,
  type Description,
  descriptionJson,
  descriptionLines,
  descriptionText,
} from "./describe.ts";
import { PLAIN_NODE } from "../core/plugin/manifest_node.ts";
import { samplePlugins } from "./testing/sample_plugins.ts";

const disk: Description = {
  manifest: samplePlugins[0]!,
  path: "./disk.wasm",
  functions: ["open", "pread", "size"],
  memoryMaximum: 2 ** 20,
};

Deno.test("--dump-plugin prints sorted key=value lines", () => {
  assert.deepEqual(descriptionLines(disk).trimEnd().split("\n"), [
    "abi=3.0",
    "description=A disk that it's easy to describe: all of it",
    "has_open=1",
    "has_pread=1",
    "has_size=1",
    "kind=plugin",
    "magic_config_key=size",
    "memory_max=1048576",
    "name=disk",
    "parameter_level=int",
    "parameter_mode=enum",
    "parameter_seed=int",
    "parameter_size=size",
    "parameter_tag=string",
    "path=./disk.wasm",
    "thread_model=parallel",
    "version=1.2.3",
  ]);
});

Deno.test("JSON has the manifest and what was found beside it", () => {
  const json = JSON.parse(descriptionJson(disk));
  assert.equal(json.name, "disk");
  assert.equal(json.parameters.length, 5);
  assert.deepEqual(json.functions, ["open", "pread", "size"]);
  assert.equal(json.memoryMaximum, 2 ** 20);
});

Deno.test("the text says where a plugin comes from and what it may use", () => {
  const text = descriptionText(disk);
  assert.match(text, /^disk 1\.2\.3\n/);
  assert.match(text, /From +\.\/disk\.wasm\n/);
  assert.match(text, /Memory +at most 1M\n/);
  assert.match(text, /May use +its own memory only\n/);
});

Deno.test("what a filter lets pass is told in each form", () => {
  const calls = { ioctl: "pass", pread: "forward" } as const;
  const manifest = { ...disk.manifest, node: { ...PLAIN_NODE, calls } };
  assert.match(descriptionText({ ...disk, manifest }), /Lets pass +ioctl\n/);
  assert.match(descriptionLines({ ...disk, manifest }), /^passes_ioctl=1$/m);
  assert.equal(JSON.parse(descriptionJson({ ...disk, manifest })).node.calls.ioctl, "pass");
  assert.doesNotMatch(descriptionText(disk), /Lets pass/);
});

Deno.test("a backend of the host says that it may use files", () => {
  const backend = { ...disk, path: null, functions: [], memoryMaximum: null };
  assert.match(descriptionText(backend), /From +built in\n/);
  assert.match(descriptionText(backend), /May use +files\n/);
});

Deno.test("bytes are written in the largest unit that divides them", () => {
  assert.deepEqual([0, 1023, 1024, 1536, 2 ** 30, 2 ** 50].map(bytesText), [
    "0",
    "1023",
    "1K",
    "1536",
    "1G",
    "1024T",
  ]);
});
