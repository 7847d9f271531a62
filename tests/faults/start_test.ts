// SPDX-License-Identifier: MIT
// Starts that cannot succeed: one line that says what, where and what would be right; status 1.

import assert from "node:assert/strict";
import { run } from "../support/command.ts";
import { TestDirectory } from "../support/directory.ts";
import { sandblock } from "../support/program.ts";
import { TestServer } from "../support/server.ts";
import { assemble, textAt, type WatPlugin, watPlugin } from "../support/wat_plugin.ts";

/** Runs `sandblock serve`; it has to fail with one line that matches. */
async function fails(pattern: RegExp, ...args: string[]): Promise<void> {
  const { code, stdout, stderr } = await run([...sandblock(), "serve", ...args]);
  assert.equal(code, 1, `${args.join(" ")}: ${stdout}${stderr}`);
  assert.equal(stdout, "");
  const lines = stderr.trimEnd().split("\n");
  assert.equal(lines.length, 1, stderr);
  assert.match(lines[0]!, pattern);
  assert.match(lines[0]!, /^(\S+Z )?sandblock: error: /);
  assert.doesNotMatch(stderr, /\.ts:|\.js:|^\s+at /m);
}

const commands: [string, RegExp, string[]][] = [
  ["no plugin", /no plugin/, []],
  ["an unknown option", /--readonlyy.*--readonly\b/, ["--readonlyy", "memory", "1M"]],
  ["an unknown plugin", /memry.*memory/, ["memry", "1M"]],
  ["a missing file of a plugin", /nothere\.wasm/, ["./nothere.wasm"]],
  ["an unknown parameter", /sise.*size/, ["memory", "sise=1M"]],
  ["a missing parameter", /size/, ["memory"]],
  ["a parameter twice", /size/, ["memory", "size=1M", "size=2M"]],
  ["a size that is none", /"1Q"/, ["memory", "1Q"]],
  ["a negative size", /-1/, ["memory", "size=-1"]],
  ["a size beyond 2^63", /9223372036854775808/, ["memory", "9223372036854775808"]],
  ["a number that is none", /"many"/, ["-t", "many", "memory", "1M"]],
  ["a port that is none", /"99999"/, ["-p", "99999", "memory", "1M"]],
  ["an address that is none", /nosuchhost/, [
    "-i",
    "nosuchhost.invalid",
    "-p",
    "0",
    "memory",
    "1M",
  ]],
  ["a URI that is none", /http:\/\/x/, ["--listen", "http://x", "memory", "1M"]],
  ["a socket path that is too long", /at most 107/, [
    "-U",
    `/tmp/${"x".repeat(200)}`,
    "memory",
    "1M",
  ]],
  ["a socket in no directory", /nosuch/, ["-U", "/nosuch/dir/socket", "memory", "1M"]],
  ["a pid file in no directory", /nosuch/, ["-P", "/nosuch/pid", "-U", "-", "memory", "1M"]],
  ["a missing file", /\/nosuch\/disk/, ["-U", "-", "file", "/nosuch/disk"]],
  ["a directory as a file", /directory/, ["-U", "-", "file", "/tmp"]],
  ["a file as a directory", /"\/etc\/passwd".*(directory|ENOTDIR)/, [
    "-U",
    "-",
    "file",
    "dir=/etc/passwd",
  ]],
  ["a character device", /\/dev\/null/, ["-U", "-", "file", "/dev/null"]],
  ["two kinds of file", /file|dir/, ["-U", "-", "file", "file=/etc/passwd", "dir=/tmp"]],
  ["a descriptor that is not open", /fd|descriptor/, ["-U", "-", "file", "fd=77"]],
  ["a bad description of data", /"zzz/, ["-U", "-", "data", "zzz"]],
  ["an export name that is too long", /4096/, ["-e", "x".repeat(5000), "-U", "-", "memory", "1M"]],
  ["too little memory for the plugin", /memory/, [
    "--plugin-memory=64K",
    "-U",
    "-",
    "memory",
    "1M",
  ]],
  ["--fd without what belongs to it", /--fd-size/, ["--fd", "3", "memory", "1M"]],
  ["a transmission flag that does not exist", /"fast"/, [
    ...["--fd=3", "--fd-size=1M", "--fd-flags=fast", "memory", "1M"],
  ]],
];
for (const [name, pattern, args] of commands) {
  Deno.test(`${name} is one clear line and status 1`, async () => {
    await fails(pattern, ...args);
  });
}

Deno.test("a second server on a socket that is in use is refused and harms nothing", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  await fails(/socket.*(in use|running)/, "-U", server.socket, "memory", "1M");
  await using client = await server.client();
  assert.equal((await client.read(0, 512)).length, 512);
});

Deno.test("a port that is in use is refused", async () => {
  const own = { ownListeners: true };
  await using server = await TestServer.start(["-i", "127.0.0.1", "-p", "0", "memory", "1M"], own);
  const port = server.uris[0]!.match(/:(\d+)$/)![1]!;
  await fails(/(in use|EADDRINUSE)/, "-i", "127.0.0.1", "-p", port, "memory", "1M");
});

Deno.test("a file that is no socket is not replaced by one", async () => {
  using directory = new TestDirectory();
  const path = directory.write("precious", "data");
  await fails(/precious/, "-U", path, "memory", "1M");
  assert.equal(Deno.readTextFileSync(path), "data");
});

const modules: [string, RegExp, WatPlugin][] = [
  ["without a manifest", /manifest/, { body: "", rawManifest: null }],
  ["whose manifest is not JSON", /JSON/, { body: "", rawManifest: "{nope" }],
  ["whose manifest lacks a name", /name/, { body: "", manifest: { name: undefined } }],
  ["for another major version", /4\.0/, { body: "", manifest: { abi: "4.0" } }],
  ["for a later minor version", /3\.99/, { body: "", manifest: { abi: "3.99" } }],
  ["with an unknown field", /colour/, { body: "", manifest: { colour: "red" } }],
  ["of an unknown kind", /"kind".*"plugin"/, { body: "", manifest: { kind: "gadget" } }],
  ["with an unknown import", /reply_magic/, {
    body: "",
    imports: `(import "sandblock:v3" "reply_magic" (func))`,
  }],
  ["that imports from WASI by another type", /import "fd_write" has the type/, {
    body: "",
    imports: `(import "wasi_snapshot_preview1" "fd_write" (func (param i32)))`,
  }],
  ["with an import of another type", /peer/, {
    body: "",
    imports: `(import "sandblock:v3" "peer" (func (param f64)))`,
  }],
  ["with an export of another type", /sb_flush/, {
    body: `(func (export "sb_flush") (param f64))`,
  }],
  ["with an unknown sb_ export", /sb_fly/, { body: `(func (export "sb_fly"))` }],
  ["whose parameters cannot be delivered", /sb_param_int/, {
    body: "",
    manifest: { parameters: [{ name: "n", type: "int", description: "N" }] },
  }],
  ["that wants more memory than it may have", /memory/, { body: "", memory: "4096" }],
  ["that traps at the start", /trap|unreachable/, {
    body: `(func (export "sb_ready") (result i32) unreachable)`,
  }],
  ["that loops at the start", /ms|long|time/, {
    body: `(func (export "sb_ready") (result i32) (loop $l (br $l)) (i32.const 0))`,
  }],
  ["that is not ready and says why", /the tape is missing/, {
    body: `${textAt(0, "the tape is missing")} (func (export "sb_ready") (result i32)
      (call $error_text (i32.const 0) (i32.const 19)) (i32.const 19))`,
  }],
  ["whose start function traps", /trap|unreachable/, {
    body: `(func $start unreachable) (start $start)`,
  }],
];
for (const [name, pattern, plugin] of modules) {
  Deno.test(`a plugin ${name} is one clear line and status 1`, async () => {
    using directory = new TestDirectory();
    const path = directory.write("test.wasm", await watPlugin(plugin));
    await fails(pattern, "--plugin-timeout=300ms", "-U", "-", path);
  });
}

const files: [string, RegExp, Uint8Array | string][] = [
  ["is empty", /test\.wasm/, ""],
  ["is text", /test\.wasm/, "#!/bin/sh\nexit 0\n"],
  ["is cut off", /test\.wasm/, Uint8Array.fromHex("0061736d01000000" + "01ff")],
  ["is no plugin", /manifest|plugin/, Uint8Array.fromHex("0061736d01000000")],
];
for (const [name, pattern, content] of files) {
  Deno.test(`a plugin file that ${name} is one clear line and status 1`, async () => {
    using directory = new TestDirectory();
    await fails(pattern, "-U", "-", directory.write("test.wasm", content));
  });
}

Deno.test("a plugin without what is mandatory is told which export it lacks", async () => {
  using directory = new TestDirectory();
  const bytes = await assemble(`(module (memory (export "memory") 1))`);
  const { withCustomSection } = await import("../../core/plugin/wasm/sections.ts");
  const manifest = JSON.stringify({
    abi: "3.0",
    name: "bare",
    version: "1",
    kind: "plugin",
    description: "Nothing",
  });
  const whole = withCustomSection(bytes, "sandblock.manifest", new TextEncoder().encode(manifest));
  await fails(/sb_open/, "-U", "-", directory.write("test.wasm", whole));
});
