// SPDX-License-Identifier: MIT
// What plugins are allowed, what becomes of those that fail, and what they count, as other people's
// clients and users see it.

import assert from "node:assert/strict";
import { assertSameBytes, noise } from "../support/bytes.ts";
import { output, run, succeed } from "../support/command.ts";
import { TestDirectory } from "../support/directory.ts";
import { requires } from "../support/peers.ts";
import { sandblock } from "../support/program.ts";
import { TestServer } from "../support/server.ts";
import { rangeCall, watPlugin } from "../support/wat_plugin.ts";

/** A plugin that serves the file whose path is its parameter, all of it later. */
const IMAGE = {
  imports:
    ["pread", "pwrite"].map((name) =>
      `(import "sandblock:v3" "file_${name}" (func $file_${name}
      (param i32 i32 i64 i64 i32 i32) (result i32)))`
    ).join("") + `
    (import "sandblock:v3" "file_open" (func $file_open (param i32 i32 i32) (result i32)))
    (import "sandblock:v3" "file_size" (func $file_size (param i32) (result i64)))
    (import "sandblock:v3" "file_sync" (func $file_sync (param i32 i32 i32) (result i32)))
    (import "sandblock:v3" "reply_buffer" (func $buffer (param i32 i64 i64) (result i32)))
    (import "sandblock:v3" "complete" (func $complete (param i32 i32)))`,
  body: `(global $file (mut i32) (i32.const -1))
    (func (export "sb_param_bytes") (param i32 i32 i32)
      (global.set $file (call $file_open (local.get 1) (local.get 2) (i32.const 1))))
    (func (export "sb_ready") (result i32)
      (if (result i32) (i32.lt_s (global.get $file) (i32.const 0))
        (then (i32.sub (i32.const 0) (global.get $file))) (else (i32.const 0))))
    (func (export "sb_size") (param i32) (result i64) (call $file_size (global.get $file)))
    ${
    rangeCall(
      "sb_pread",
      `(call $file_pread (global.get $file)
        (call $buffer (local.get $request) (i64.const 0) (local.get $count))
        (local.get $count) (local.get $offset) (i32.const 0) (local.get $request))`,
    )
  }
    (func (export "sb_pwrite") (param $h i32) (param $request i32) (param $data i32)
      (param $count i64) (param $offset i64) (param $flags i32) (result i32)
      (call $file_pwrite (global.get $file) (local.get $data) (local.get $count)
        (local.get $offset) (i32.const 1) (local.get $request)))
    (func (export "sb_flush") (param i32 i32 i32) (result i32)
      (call $file_sync (global.get $file) (i32.const 0) (local.get 1)))
    (func (export "sb_done") (param i32 i32) (call $complete (local.get 0) (local.get 1)))`,
  manifest: {
    abi: "3.1",
    name: "image",
    parameters: [{ name: "file", type: "path", positional: true, required: true }],
    capabilities: { write: { required: true, description: "the image" } },
  },
};

/** A directory with the plugin and an image beside what nobody granted. */
async function imageDirectory(): Promise<TestDirectory> {
  const directory = new TestDirectory();
  directory.write("image.wasm", await watPlugin(IMAGE));
  Deno.mkdirSync(directory.file("images"));
  Deno.writeFileSync(directory.file("images/disk.img"), new Uint8Array(3_000_000));
  Deno.writeTextFileSync(directory.file("secret"), "secret");
  return directory;
}

/** What `serve` says when it does not start. */
async function refusal(...args: string[]): Promise<string> {
  const { code, stderr } = await run([...sandblock(), "serve", "-U", "-", ...args]);
  assert.equal(code, 1, stderr);
  return stderr.trim().split("\n")[0]!.replace(/^.*?error: /, "");
}

Deno.test("a plugin that was allowed a directory serves an image in it", async () => {
  using directory = await imageDirectory();
  const image = directory.file("images/disk.img");
  const plugin = directory.file("image.wasm");
  const data = noise(3_000_000);
  {
    const allow = `write=${directory.file("images")}`;
    await using server = await TestServer.start([plugin, image, "--allow", allow]);
    const source = directory.write("source", data);
    const nbdcopy = requires("nbdcopy", "newer");
    await succeed([...nbdcopy, "--flush", source, server.uri()]);
    assertSameBytes(Deno.readFileSync(image), data);
    assertSameBytes((await succeed([...nbdcopy, server.uri(), "-"])).bytes, data);
    const io = ["-c", "write -P 7 1M 64k", "-c", "flush", "-c", "read -P 7 1M 64k"];
    await output([...requires("qemu-io"), "-f", "raw", ...io, server.uri()]);
  }
  assert.ok(
    Deno.readFileSync(image).subarray(2 ** 20, 2 ** 20 + 65536).every((byte) => byte === 7),
  );
});

Deno.test("without --allow, or with one for something else, the plugin is not started", async () => {
  using directory = await imageDirectory();
  const plugin = directory.file("image.wasm");
  const images = directory.file("images");
  const image = `${images}/disk.img`;
  assert.equal(
    await refusal(plugin, image),
    'cannot start "image": it has to read and write files (the image), which nobody has allowed; ' +
      "add --allow write=DIR",
  );
  assert.match(await refusal(plugin, image, "--allow", `read=${images}`), /add --allow write=DIR$/);
  assert.equal(
    await refusal(plugin, image, "--allow", "clock", "--allow", `write=${images}`),
    'cannot allow "image" to know what time it is: it does not ask for that; it asks for write',
  );
  const beside = await refusal(plugin, directory.file("secret"), "--allow", `write=${images}`);
  assert.match(beside, /^cannot start plugin "image": cannot open ".*secret": it was not allowed$/);
  Deno.symlinkSync("../secret", `${images}/link`);
  assert.match(
    await refusal(plugin, `${images}/link`, "--allow", `write=${images}`),
    /^cannot start plugin "image": cannot open ".*link": it leads out of ".*images", which was/,
  );
  assert.match(
    await refusal(plugin, image, "--allow", "write=/nowhere"),
    /^cannot allow write=\/nowhere: No such file or directory/,
  );
});

/** Fails when it is read at 4096, loops when it is read at 8192, answers otherwise. */
const FRAGILE = {
  body: rangeCall(
    "sb_pread",
    `(if (i64.eq (local.get $offset) (i64.const 4096)) (then unreachable))
    (if (i64.eq (local.get $offset) (i64.const 8192)) (then (loop (br 0))))
    (call $reply_zero (local.get $request) (i64.const 0) (local.get $count) (i32.const 0))
    (i32.const 0)`,
  ),
  manifest: { name: "fragile" },
};

for (const policy of ["fail", "restart"]) {
  Deno.test(`--restart=${policy}: a client stays connected when the plugin fails`, async () => {
    using directory = new TestDirectory();
    const plugin = directory.write("fragile.wasm", await watPlugin(FRAGILE));
    const metrics = directory.file("metrics");
    const args = [`--restart=${policy}`, "--plugin-timeout=200ms", "--metrics", `unix:${metrics}`];
    await using server = await TestServer.start([plugin, ...args]);
    await output([...requires("nbdsh", "newer"), "-u", server.uri(), "-c", "-"], {
      input: `
import nbd, errno, time
for bad in (4096, 8192, 4096):
    start = time.monotonic()
    try:
        h.pread(512, bad)
        assert False
    except nbd.Error as error:
        assert error.errnum == errno.EIO, error
    assert time.monotonic() - start < 10
    assert h.pread(4096, 0) == bytes(4096)
`,
    });
    await server.log.match(/took longer than 200 ms in sb_pread/);
    assert.equal(server.log.text.match(/started again/g)?.length ?? 0, policy === "fail" ? 0 : 3);
    using http = await Deno.connect({ transport: "unix", path: metrics });
    await http.write(new TextEncoder().encode("GET /metrics HTTP/1.0\r\nHost: x\r\n\r\n"));
    const text = await new Response(http.readable).text();
    assert.match(text, /^sandblock_plugin_failures_total\{.*plugin="fragile"\} 3$/m);
    const restarts = policy === "fail" ? 0 : 3;
    assert.match(text, new RegExp(`^sandblock_plugin_restarts_total\\{.*\\} ${restarts}$`, "m"));
  });
}

Deno.test("--restart=backoff: requests fail at once while the plugin waits for its next start", async () => {
  using directory = new TestDirectory();
  const plugin = directory.write("fragile.wasm", await watPlugin(FRAGILE));
  await using server = await TestServer.start([plugin, "--restart=backoff"]);
  await output([...requires("nbdsh", "newer"), "-u", server.uri(), "-c", "-"], {
    input: `
import nbd, errno, time
def fails(offset):
    try:
        h.pread(512, offset)
        return False
    except nbd.Error as error:
        assert error.errnum == errno.EIO, error
        return True
for round in range(3):
    assert fails(4096)
    waits = 0
    while fails(0):
        waits += 1
        time.sleep(0.01)
        assert waits < 1000
    assert waits > 0 or round == 0
`,
  });
  assert.equal(server.log.text.match(/started again/g)?.length, 3);
});

Deno.test("metrics of a filter are written to a file when the server stops", async () => {
  using directory = new TestDirectory();
  const file = directory.file("numbers.prom");
  {
    await using server = await TestServer.start([
      "--filter=stats",
      "memory",
      "1M",
      "--metrics",
      file,
    ]);
    await output([...requires("qemu-io"), "-f", "raw", "-c", "write 0 64k", server.uri()]);
  }
  const text = Deno.readTextFileSync(file);
  assert.match(text, /^# TYPE sandblock_stats_writes_total counter$/m);
  assert.match(text, /^sandblock_stats_written_bytes_total\{.*node="0",plugin="stats"\} 65536$/m);
  assert.match(text, /^sandblock_plugin_failures_total\{.*node="0\.0",plugin="memory"\} 0$/m);
});

/** Asks another machine for the block at each offset: 8 bytes there, 512 back. */
const REMOTE = {
  imports: `
    (import "sandblock:v3" "net_open" (func $open (param i32 i32 i32) (result i32)))
    (import "sandblock:v3" "net_read" (func $read (param i32 i32 i32) (result i32)))
    (import "sandblock:v3" "net_write" (func $write (param i32 i32 i64 i32) (result i32)))
    (import "sandblock:v3" "complete" (func $complete (param i32 i32)))`,
  body: `(global $stream (mut i32) (i32.const -1)) (global $request (mut i32) (i32.const 0))
    (func (export "sb_param_bytes") (param i32 i32 i32)
      (global.set $stream (call $open (local.get 1) (local.get 2) (i32.const 1))))
    (func (export "sb_ready") (result i32)
      (select (i32.const 13) (i32.const 0) (i32.lt_s (global.get $stream) (i32.const 0))))
    ${
    rangeCall(
      "sb_pread",
      `(local $status i32)
      (global.set $request (local.get $request))
      (i64.store (i32.const 1024) (local.get $offset))
      (local.set $status (call $write (global.get $stream) (i32.const 1024) (i64.const 8) (i32.const 2)))
      (if (local.get $status) (then (return (local.get $status))))
      (i32.store (i32.const 2048) (i32.const 512))
      (local.set $status (call $read (global.get $stream) (i32.const 2048) (i32.const 3)))
      (if (i32.eqz (local.get $status)) (then (call $answer)))
      (local.get $status)`,
    )
  }
    (func $answer
      (call $reply_data (global.get $request) (i64.const 0) (i32.const 2056) (i64.const 512) (i32.const 0)))
    (func (export "sb_done") (param $token i32) (param $result i32)
      (if (i32.eq (local.get $token) (i32.const 3)) (then
        (if (i32.eqz (local.get $result)) (then (call $answer)))
        (call $complete (global.get $request) (local.get $result)))))`,
  manifest: {
    abi: "3.1",
    name: "remote",
    parameters: [{ name: "address", type: "string", positional: true, required: true }],
    capabilities: { net: { required: true, description: "where blocks are" } },
  },
};

/** Answers each 8 bytes with 512 times the first of them, after a while; ends with the connection. */
async function answerBlocks(listener: Deno.TcpListener): Promise<void> {
  const connection = await listener.accept();
  const question = new Uint8Array(8);
  while (await connection.read(question) === 8) {
    await new Promise((resolve) => setTimeout(resolve, 30));
    const block = new Uint8Array(512).fill(question[1]!);
    await connection.write(block);
  }
  connection.close();
}

Deno.test("a plugin asks another machine, and the server sleeps until it has answered", async () => {
  using directory = new TestDirectory();
  const plugin = directory.write("remote.wasm", await watPlugin(REMOTE));
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${listener.addr.port}`;
  const answers = answerBlocks(listener);
  {
    await using server = await TestServer.start([plugin, address, `--allow=net=${address}`]);
    await output([...requires("nbdsh", "newer"), "-u", server.uri(), "-c", "-"], {
      input: `
for block in range(10):
    assert h.pread(512, block * 256) == bytes([block]) * 512, block
`,
    });
  }
  await answers;
  const refused = await refusal(plugin, address, "--allow=net=127.0.0.1:1");
  assert.match(
    refused,
    /^cannot start plugin "remote": cannot connect to ".*": it was not allowed$/,
  );
  assert.match(await refusal(plugin, address), /; add --allow net=HOST:PORT$/);
});
