// SPDX-License-Identifier: MIT
// A configuration file in a running server: several exports, each on a thread of its own, through the
// clients that people use.

import assert from "node:assert/strict";
import { Command } from "../../core/block/request.ts";
import { encodeInfoData, encodeOption, encodeRequest } from "../../core/nbd/client.ts";
import { Option, Replies, Reply } from "../../core/nbd/wire.ts";
import { concatenated, noise } from "../support/bytes.ts";
import { output, run, succeed } from "../support/command.ts";
import { TestDirectory } from "../support/directory.ts";
import { GENERATIONS, requires } from "../support/peers.ts";
import { sandblock } from "../support/program.ts";
import { TestServer } from "../support/server.ts";
import { rangeCall, watPlugin } from "../support/wat_plugin.ts";

const MEBIBYTE = 1024 * 1024;
const EPERM = 1;
const EIO = 5;
const ENOSPC = 28;

const THREE = `
exports:
  scratch:
    description: Forgotten at the end
    plugin: memory
    parameters: { size: 16M }
    default: true
  image:
    plugin: file
    parameters: { file: disk.img }
    filters: cow
  numbers:
    description: Every 8 bytes hold their offset
    read-only: true
    plugin: pattern
    parameters: { size: 1M }
`;

/** A directory with the configuration \`config\` and what it names. */
function directoryOf(config: string, files: Record<string, string | Uint8Array> = {}) {
  const directory = new TestDirectory();
  directory.sparse("disk.img", 4 * MEBIBYTE);
  for (const [name, content] of Object.entries(files)) directory.write(name, content);
  const path = directory.write("disks.yaml", config);
  return Object.assign(directory, { config: path });
}

for (const which of GENERATIONS) {
  Deno.test(`nbdinfo, ${which}, lists the exports of a configuration`, async () => {
    const nbdinfo = requires("nbdinfo", which);
    using directory = directoryOf(THREE);
    await using server = await TestServer.start(["--config", directory.config]);
    const text = await output([...nbdinfo, "--list", "--json", server.uri()]);
    type Listed = Record<string, unknown>;
    const { exports } = JSON.parse(text) as { exports: Listed[] };
    assert.deepEqual(
      exports.map((one) => [one["export-name"], one["export-size"], one.is_read_only]),
      [["scratch", 16 * MEBIBYTE, false], ["image", 4 * MEBIBYTE, false], [
        "numbers",
        MEBIBYTE,
        true,
      ]],
    );
    assert.equal(exports[0]!.description, "Forgotten at the end");
    assert.deepEqual(exports[1]!.contexts, ["base:allocation"]);
    assert.equal(await output([...nbdinfo, "--size", server.uri()]), `${16 * MEBIBYTE}\n`);
    const { code } = await run([...nbdinfo, "--size", server.uri("nothing")]);
    assert.equal(code, 1);
  });

  Deno.test(`qemu-img, ${which}, converts and compares between exports`, async () => {
    const qemuImg = requires("qemu-img", which);
    using directory = directoryOf(THREE);
    await using server = await TestServer.start(["--config", directory.config]);
    const convert = ["convert", "-n", "-f", "raw", "-O", "raw"];
    const [numbers, image] = [server.uri("numbers"), server.uri("image")];
    await succeed([...qemuImg, ...convert, numbers, image]);
    const copy = directory.file("copy.img");
    await succeed([...qemuImg, "convert", "-f", "raw", "-O", "raw", image, copy]);
    const bytes = Deno.readFileSync(copy);
    assert.equal(new DataView(bytes.buffer).getBigUint64(MEBIBYTE - 8), BigInt(MEBIBYTE - 8));
    // All of that stayed in the overlay.
    assert.ok(Deno.readFileSync(directory.file("disk.img")).every((byte) => byte === 0));
  });
}

Deno.test("fio verifies two exports of one process at a time", async () => {
  using directory = directoryOf(THREE);
  await using server = await TestServer.start(["--config", directory.config]);
  const job = (name: string, uri: string) => [
    `--name=${name}`,
    "--ioengine=nbd",
    `--uri=${uri}`,
    "--rw=randwrite",
    "--bs=4k",
    "--size=4M",
    "--iodepth=16",
    "--verify=crc32c",
    "--verify_fatal=1",
  ];
  const { code, stdout, stderr } = await run([
    ...requires("fio"),
    ...job("scratch", server.uri("scratch")),
    ...job("image", server.uri("image")),
  ], { cwd: directory.path });
  assert.equal(code, 0, stdout + stderr);
});

Deno.test("a client may ask about all exports before it chooses one", async () => {
  using directory = directoryOf(THREE);
  // Without polling, what has come with the last option is only looked at if nothing has to wake the thread.
  const args = ["--busy-poll", "off", "--config", directory.config];
  await using server = await TestServer.start(args);
  await using client = await server.connect();
  await client.greet();
  assert.equal(await client.ask(Option.StructuredReply), Reply.Ack);
  for (const name of ["image", "scratch", "numbers", "image", ""]) {
    const replies = await client.option(Option.Info, encodeInfoData(name, []));
    assert.equal(replies.at(-1)!.type, Reply.Ack, name);
    assert.equal((await client.option(Option.List)).length, 4);
  }
  const [refusal] = await client.option(Option.Info, encodeInfoData("nothing", []));
  assert.equal(refusal!.type, Reply.Unknown);
  // Requests may follow GO without waiting for its answer.
  const go = encodeOption(Option.Go, encodeInfoData("numbers", []));
  const read = { command: Command.Read, offset: 4096n, length: 16n, cookie: 7n };
  client.replies = Replies.Structured;
  const list = encodeOption(Option.List);
  await client.send(concatenated(list, go, encodeRequest(read, client.replies)));
  assert.equal((await client.optionReplies()).length, 4);
  const replies = await client.optionReplies();
  assert.equal(replies.at(-1)!.type, Reply.Ack);
  const head = await client.take(20);
  const view = new DataView(head.buffer, head.byteOffset);
  assert.equal(view.getBigUint64(8), 7n);
  const bytes = await client.take(view.getUint32(16));
  assert.equal(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(8), 4096n);
});

Deno.test("a plugin that loops holds up neither other exports nor those who connect", async () => {
  const loop = await watPlugin({ body: rangeCall("sb_pread", "(loop $l (br $l)) i32.const 0") });
  using directory = directoryOf(
    `
exports:
  loops: { plugin: loop.wasm, timeout: 4s }
  works: { plugin: memory, parameters: { size: 1M } }
`,
    { "loop.wasm": loop },
  );
  await using server = await TestServer.start(["--config", directory.config]);
  await using stuck = await server.client({ exportName: "loops" });
  await using works = await server.client({ exportName: "works" });
  const began = performance.now();
  const cookie = await stuck.post({ command: Command.Read, offset: 0n, length: 512n });
  let rounds = 0;
  while (rounds < 50) {
    assert.equal((await works.read(0, 4096)).length, 4096);
    await using late = await server.client({ exportName: "works" });
    assert.equal(await late.write(0, noise(512)), 0);
    rounds++;
  }
  // A machine with other things to do may take its time, but not all of this at 4 s each.
  assert.ok(performance.now() - began < 60_000);
  const { errno } = await stuck.answer(cookie);
  assert.equal(errno, EIO);
  await server.log.match(/took longer than 4000 ms in sb_pread/);
});

Deno.test("each export has its own policy, which SIGHUP reads again", async () => {
  using directory = directoryOf(
    `
exports:
  a: { plugin: memory, parameters: { size: 1M }, policy: a.policy }
  b: { plugin: memory, parameters: { size: 1M }, policy: b.policy }
  c: { plugin: memory, parameters: { size: 1M } }
`,
    {
      "a.policy": "default allow\nerrno ENOSPC write\n",
      "b.policy": 'default allow\nerrno EPERM write if export == "b"\n',
    },
  );
  await using server = await TestServer.start(["--config", directory.config]);
  await using a = await server.client({ exportName: "a" });
  await using b = await server.client({ exportName: "b" });
  await using c = await server.client({ exportName: "c" });
  const write = async () => {
    const data = noise(512);
    return [await a.write(0, data), await b.write(0, data), await c.write(0, data)];
  };
  assert.deepEqual(await write(), [ENOSPC, EPERM, 0]);
  const changed = `
exports:
  a: { plugin: memory, parameters: { size: 1M } }
  b: { plugin: memory, parameters: { size: 1M }, policy: a.policy }
  c: { plugin: memory, parameters: { size: 1M } }
`;
  directory.write("a.policy", "default allow\nerrno EIO write\n");
  directory.write("disks.yaml", changed);
  server.signal("SIGHUP");
  await server.log.match(/policies of configuration ".*" were read again/);
  for (let tries = 0; tries < 1000 && `${await write()}` !== `0,${EIO},0`; tries++);
  assert.deepEqual(await write(), [0, EIO, 0]);

  directory.write("disks.yaml", changed.replace("plugin: memory", "plugin: zero"));
  server.signal("SIGHUP");
  await server.log.match(/other changes in ".*" take effect when the server is started again/);
  directory.write("disks.yaml", `${changed}threads: 2\n`);
  server.signal("SIGHUP");
  await server.log.match(/other changes in .*\n(.*\n)*.*other changes in /);
  directory.write("disks.yaml", changed.replace("plugin: memory", "plugn: memory"));
  server.signal("SIGHUP");
  await server.log.match(/the policies stay as they were: .*line 3, column 8: unknown key "plugn"/);
  assert.deepEqual(await write(), [0, EIO, 0]);
});

Deno.test("the file says where to listen, unless the command line does", async () => {
  using directory = directoryOf(`listen: { unix: here.sock }\n${THREE}`);
  const args = ["--config", directory.config];
  {
    await using server = await TestServer.start(args, { ownListeners: true, cwd: "/" });
    assert.deepEqual(server.uris, [
      `nbd+unix:///scratch?socket=${directory.file("here.sock")}`,
    ]);
    const nbdinfo = requires("nbdinfo");
    assert.equal(await output([...nbdinfo, "--size", server.uris[0]!]), `${16 * MEBIBYTE}\n`);
  }
  await using server = await TestServer.start(args);
  assert.ok(!server.uris.join().includes("here.sock"));
  await using client = await server.client({ exportName: "numbers" });
  assert.equal(client.agreement!.description, "Every 8 bytes hold their offset");
});

Deno.test("options of the command line go before limits of the file, and -r makes all read-only", async () => {
  using directory = directoryOf(`${THREE}limits: { max-options: 2 }\n`);
  await using server = await TestServer.start(["--config", directory.config, "-r"]);
  await using client = await server.connect();
  await client.greet();
  await client.option(Option.List);
  await client.option(Option.List);
  await client.send(encodeOption(Option.List));
  await client.closed();
  await using other = await TestServer.start([
    ...["--config", directory.config, "-r", "--max-options", "9"],
  ]);
  await using reader = await other.client({ exportName: "image" });
  assert.equal(await reader.write(0, noise(512)), EPERM);
});

Deno.test("what cannot be served is told before anybody can connect", async () => {
  using directory = directoryOf(
    "exports:\n  a: { plugin: file, parameters: { file: nothing.img } }\n" +
      "  b: { plugin: zero, parameters: { size: 1M } }\n",
  );
  await assert.rejects(
    TestServer.start(["--config", directory.config]),
    /cannot serve the export "a": .*nothing\.img/,
  );
  directory.write("disks.yaml", "exports: { a: { plugin: file, parameters: { dir: . } } }");
  directory.write("more.img", noise(512));
  await assert.rejects(
    TestServer.start(["--config", directory.config]),
    /cannot serve the export "a": its device has several and none by default/,
  );
  directory.write(
    "disks.yaml",
    "exports:\n  a:\n    plugin: memory\n    parameters: { siez: 1M }\n",
  );
  await assert.rejects(
    TestServer.start(["--config", directory.config]),
    /line 4, column 19: "memory" has no parameter "siez"; did you mean "size"\?/,
  );
  const checked = await run([...sandblock(), "config", "check", directory.config]);
  assert.equal(checked.code, 1);
  assert.match(checked.stderr, /disks\.yaml:4:19: error: "memory" has no parameter "siez"/);
});

Deno.test("config check says what would be served", async () => {
  using directory = directoryOf(THREE);
  const text = await output([...sandblock(), "config", "check", directory.config]);
  assert.equal(
    text,
    `${directory.config}: 3 exports, listening where options say\n` +
      '  "scratch" (default): memory size=16M\n' +
      '  "image": cow [ file file=disk.img ]\n' +
      '  "numbers" (read-only): pattern size=1M\n',
  );
});

Deno.test("a client on standard input and output gets the export that it names", async () => {
  const nbdsh = requires("nbdsh");
  using directory = directoryOf(THREE);
  const command = JSON.stringify([...sandblock(), "serve", "-s", "--config", directory.config]);
  const code = `
h.set_export_name("numbers")
h.connect_command(${command})
assert h.get_size() == ${MEBIBYTE}, h.get_size()
assert h.pread(8, 4096) == (4096).to_bytes(8, "big")
h.shutdown()
`;
  await succeed([...nbdsh, "-c", code]);
});

Deno.test("the server ends with its last client, wherever that is served", async () => {
  using directory = directoryOf(THREE);
  const args = ["--exit-with-last-client", "--config", directory.config];
  await using server = await TestServer.start(args);
  const first = await server.client({ exportName: "numbers" });
  const second = await server.client({ exportName: "scratch" });
  await first.leave();
  assert.equal((await second.read(0, 512)).length, 512);
  await second.leave();
  assert.deepEqual(await server.ended(), { code: 0, signal: null });
});

Deno.test("clients in the middle of a handshake do not keep a server from stopping", async () => {
  using directory = directoryOf(THREE);
  await using server = await TestServer.start(["--config", directory.config]);
  await using asking = await server.connect();
  await asking.greet();
  await asking.option(Option.Info, encodeInfoData("image", []));
  await using silent = await server.connect();
  await silent.greet();
  await using working = await server.client({ exportName: "scratch" });
  assert.equal(await working.write(0, noise(512)), 0);
  server.signal("SIGTERM");
  await asking.closed();
  await silent.closed();
  assert.deepEqual(await server.ended(), { code: 0, signal: null });
});

Deno.test("a limit on connections counts those of all exports", async () => {
  using directory = directoryOf(THREE);
  const args = ["--max-connections", "2", "--config", directory.config];
  await using server = await TestServer.start(args);
  const first = await server.client({ exportName: "numbers" });
  await using second = await server.client({ exportName: "scratch" });
  await using third = await server.connect();
  const greeted = third.greet();
  assert.equal(await second.write(0, noise(512)), 0);
  await first.leave();
  await greeted;
  await third.option(Option.Info, encodeInfoData("image", []));
});
