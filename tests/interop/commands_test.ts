// SPDX-License-Identifier: MIT
// The commands that look, check and show, as people type them, and what is said to those who type them
// wrongly: one line, and status 1.

import assert from "node:assert/strict";
import { Errno } from "../../core/block/errno.ts";
import { assertSameBytes, noise } from "../support/bytes.ts";
import { output, run } from "../support/command.ts";
import { TestDirectory } from "../support/directory.ts";
import { sandblock } from "../support/program.ts";
import { TestServer } from "../support/server.ts";
import { watPlugin } from "../support/wat_plugin.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const shows = (...args: string[]) => output([...sandblock(), ...args]);

Deno.test("plugin list tells plugins, nodes above several devices, and filters apart", async () => {
  const text = await shows("plugin", "list");
  const [plugins, nodes, filters] = text.split("\n\n");
  assert.match(plugins!, /^Plugins .*\n(.*\n)* {2}file {2,}\S.*\n(.*\n)* {2}memory {2,}\S/);
  assert.match(nodes!, /^One device out of several .*\n(.*\n)* {2}mirror {2,}\S/);
  assert.match(filters!, /^Filters .*\n(.*\n)* {2}cow {2,}\S/);
  const list = JSON.parse(await shows("plugin", "list", "--json"));
  const kinds = Object.fromEntries(list.map((one: { name: string; kind: string }) => [
    one.name,
    one.kind,
  ]));
  assert.deepEqual([kinds.memory, kinds.cow, kinds.stripe], ["plugin", "filter", "filter"]);
});

Deno.test("help says how a plugin, a filter and a node are used", async () => {
  const usage = async (name: string) => (await shows("serve", "--help", name)).split("\n\n")[0]!;
  assert.equal(await usage("memory"), "Usage: sandblock serve [OPTION...] memory [size=]SIZE");
  assert.match(
    await usage("offset"),
    /^Usage: sandblock serve \[OPTION...\] --filter offset PLUGIN /,
  );
  assert.match(await usage("offset"), /\n {3}or: sandblock serve .* offset .* \[ PLUGIN \]$/);
  assert.match(await usage("mirror"), /\[ PLUGIN \]\s+\[ PLUGIN \]\.\.\.$/);
});

Deno.test("a plugin of one's own is shown, and helped with by its path", async () => {
  using directory = new TestDirectory();
  const path = directory.write("mine.wasm", await watPlugin({ body: "" }));
  assert.match(await shows("plugin", "show", path), /\n {2}From {2,}.*mine\.wasm\n/);
  assert.match(await shows("serve", "--help", path), /^Usage: sandblock serve .*\/mine\.wasm/s);
  assert.equal(JSON.parse(await shows("plugin", "show", "--json", path)).path, path);
  assert.match(await shows("man", path), /^\.TH (.*\n)*.*serve .*mine/);
});

Deno.test("the manual is carried along, with what there is to know about each plugin", async () => {
  assert.match(await shows("man"), /^\.TH SANDBLOCK 1 /);
  assert.match(await shows("man", "cow"), /^\.TH SANDBLOCK\\-COW\\-FILTER 1 (.*\n)*.*committed/);
  assert.match(await shows("man", "file"), /^\.TH SANDBLOCK\\-FILE\\-PLUGIN 1 (.*\n)*.*fallocate/);
});

Deno.test("completion scripts know commands and plugins", async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const script = await shows("completion", shell);
    assert.match(script, /sandblock/);
    assert.match(script, /sparse-random/);
  }
});

Deno.test("the example policies are right, do what their tables say, and can be compiled", async () => {
  using directory = new TestDirectory();
  const folder = `${ROOT}docs/policies`;
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => name.endsWith(".policy"));
  assert.equal(names.length, 5);
  for (const name of names) {
    const path = `${folder}/${name}`;
    await shows("policy", "check", path);
    await shows("policy", "test", path, path.replace(/policy$/, "cases.yaml"));
    assert.notEqual(await shows("policy", "show", path), "");
    const module = directory.file(`${name}.wasm`);
    await shows("policy", "show", path, "-o", module);
    assert.ok(WebAssembly.validate(Deno.readFileSync(module)));
  }
});

Deno.test("bundled filters, one's own, a policy and a plugin are served together", async () => {
  using directory = new TestDirectory();
  const mine = directory.file("mine.wasm");
  Deno.copyFileSync(`${ROOT}dist/plugins/xor.wasm`, mine);
  const policy = `${ROOT}docs/policies/aligned-writes.policy`;
  const args = ["--filter", "cow", "--filter", mine, "--policy", policy, "memory", "1G"];
  await using server = await TestServer.start([...args, "xor-key=5a"]);
  await using client = await server.client();
  const data = noise(4096);
  assert.equal(await client.write(4096, data), 0);
  assertSameBytes(await client.read(4096, 4096), data);
  assert.equal((await client.read(0, 512))[0], 0x5a);
  assert.equal(await client.write(512, data), Errno.EINVAL);
});

Deno.test("a policy with a mistake is told with its line, and a table that does not hold with its case", async () => {
  using directory = new TestDirectory();
  const bad = directory.write("bad.policy", "default allow\nerrno EPRM write\n");
  const checked = await run([...sandblock(), "policy", "check", bad]);
  assert.equal(checked.code, 1);
  assert.match(checked.stderr, /bad\.policy:2:7: error: .*EPRM/);
});

Deno.test("config schema is what is published", async () => {
  const published = Deno.readTextFileSync(`${ROOT}docs/config.schema.json`);
  assert.equal(await shows("config", "schema"), published);
});

Deno.test("doctor and kmod status say what there is, whatever that is", async () => {
  const doctor = await run([...sandblock(), "doctor", "--json"]);
  const findings: { subject: string; ok: boolean; advice: string }[] = JSON.parse(doctor.stdout);
  assert.equal(doctor.code, findings[0]!.ok ? 0 : 2);
  for (const subject of ["ublk", "bdus", "nbd", "io_uring"]) {
    assert.ok(findings.some((one) => one.subject === subject), subject);
  }
  const lines = await run([...sandblock(), "doctor"]);
  assert.match(lines.stdout, /^ {2}(yes|no ) {2}attach {2,}Linux /);
  const kmod = await run([...sandblock(), "kmod", "status", "--json"]);
  const { loaded, installed, carried } = JSON.parse(kmod.stdout);
  assert.equal(kmod.code, loaded || installed ? 0 : 2);
  assert.match(carried, /^\d+\.\d+/);
});

Deno.test("where nothing is attached, commands about devices say so", async () => {
  using directory = new TestDirectory();
  const env = { SANDBLOCK_STATE: directory.file("state") };
  const of = (...args: string[]) => run([...sandblock(), ...args], { env });
  assert.equal((await of("list")).code, 0);
  assert.equal((await of("detach", "--all")).code, 0);
  for (const args of [["status", "/dev/nbd4095"], ["flush", "/dev/nbd4095"]]) {
    const { code, stderr } = await of(...args);
    assert.equal(code, 1, args[0]);
    assert.match(stderr, /^sandblock: error: cannot .*\/dev\/nbd4095.*\n$/);
  }
});

const FD = ["--fd-size=1M", "--fd-flags=flush"];

/** Command lines that are wrong, and what has to be said about them. */
const WRONG: readonly (readonly [RegExp, ...string[]])[] = [
  [/without a command: the commands are new, check, show/, "plugin"],
  [/"serv".*did you mean "serve"\?/, "serv", "memory"],
  [/no plugin is named; write one/, "serve"],
  [/"": the name is empty; "sandblock plugin list"/, "serve", ""],
  [/no file is named; write "file PATH"/, "serve", "-U", "-", "file"],
  [
    /"http:\/\/x": it does not begin with .*; write nbd:\/\//,
    "serve",
    "--listen",
    "http://x",
    "null",
  ],
  [/the filter "cow" by itself: write --filter cow PLUGIN, or cow \[ PLUGIN \]/, "serve", "cow"],
  [/--filter "memory": it is a plugin/, "serve", "--filter", "memory", "null"],
  [
    /"--threds": there is no such option; did you mean "--threads"\?/,
    "serve",
    "--threds=2",
    "null",
  ],
  [/"\[" before "null" has no "\]"/, "serve", "mirror", "[", "null"],
  [/"-z": there is no such option; see "sandblock serve --help"/, "serve", "-z", "null"],
  [/"deno\.json".*write "file deno\.json"/, "serve", "deno.json"],
  [/not a WebAssembly module; "file \.\/deno\.json"/, "serve", "./deno.json"],
  [/--fd 3: no such descriptor was inherited/, "serve", "--fd=3", ...FD, "null"],
  [/fd=3 of "file": no such descriptor was inherited/, "serve", "-U", "-", "file", "fd=3"],
  [/the device over NBD for writing: it is zoned/, "serve", "-U", "-", "zoned", "64M"],
  [/"cow" above a zoned device/, "serve", "-rU", "-", "--filter", "cow", "zoned", "64M"],
  [/"1K": it is from 64K to 16G/, "serve", "--plugin-memory", "1K", "null"],
  [/takes one argument/, "plugin", "show", "memory", "cow"],
  [/does-not-exist\.yaml.*No such file/, "serve", "--config", "does-not-exist.yaml"],
  [/does-not-exist\.policy.*No such file/, "policy", "check", "does-not-exist.policy"],
  [/"sieve": there is no such page/, "man", "sieve"],
  [/help on "serv": .*did you mean "serve"\?/, "help", "serv"],
  [/"--lang"|--lang: the languages are/, "plugin", "new", "x"],
  [/"cobol": it is not known; the languages are/, "plugin", "new", "--lang", "cobol", "x"],
  [/"\.\/nothing\.wasm": No such file/, "plugin", "show", "./nothing.wasm"],
  [/"\/dev\/sda".*/, "detach", "/dev/sda"],
  [/--via "nbf".*did you mean "nbd"\?/, "attach", "--via", "nbf", "null"],
];
for (const [pattern, ...args] of WRONG) {
  Deno.test(`wrong: sandblock ${args.join(" ")}`, async () => {
    const { code, stdout, stderr } = await run([...sandblock(), ...args], { cwd: ROOT });
    assert.equal(code, 1);
    assert.equal(stdout, "");
    assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
    assert.match(stderr, /^(\S+Z )?sandblock: error: cannot /);
    assert.match(stderr, pattern);
  });
}

Deno.test("where nothing can be written, that is said", async () => {
  const full = await run(["sh", "-c", '"$@" > /dev/full', "sh", ...sandblock(), "plugin", "list"]);
  assert.equal(full.code, 1);
  assert.match(full.stderr, /^sandblock: error: cannot write .*: No space left on device\n$/);
  const env = { TMPDIR: "/does/not/exist" };
  const nowhere = await run([...sandblock(), "serve", "-U", "-", "null"], { env });
  assert.equal(nowhere.code, 1);
  assert.match(nowhere.stderr, /private socket in "\/does\/not\/exist": .*; TMPDIR names another/);
});
