// SPDX-License-Identifier: MIT
// Files that a plugin was granted: what it can open and what not, and a disk that lies in one.

import assert from "node:assert/strict";
import { BlockError, Errno, errnoName } from "../block/errno.ts";
import { RequestFlag, Status } from "../block/request.ts";
import { FileFlag } from "../plugin/abi.ts";
import { FileJobKind, FileJobPool } from "../plugin/file_job.ts";
import { parseGrants } from "../plugin/grants.ts";
import { PluginDevice } from "../plugin/instance.ts";
import { preparePlugin } from "../plugin/prepare.ts";
import { laterWat, plugin, RANGE } from "../plugin/test_plugins.ts";
import { Watchdog } from "../plugin/watch.ts";
import { GrantedFiles } from "./granted_files.ts";
import { Refused, TestClient } from "./testing.ts";

/** A directory `in` that is granted and others beside it that are not; removed at the end. */
class Place implements Disposable {
  readonly root = Deno.realPathSync(Deno.makeTempDirSync());

  constructor() {
    Deno.mkdirSync(`${this.root}/in/deep/er`, { recursive: true });
    Deno.mkdirSync(`${this.root}/in-not`);
    for (const name of ["in/file", "in/deep/er/file", "in-not/file", "secret"]) {
      Deno.writeTextFileSync(`${this.root}/${name}`, name);
    }
  }

  granted(...texts: string[]): GrantedFiles {
    return new GrantedFiles(parseGrants(texts, this.root).files, { log: () => {} });
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.root, { recursive: true });
  }
}

/** "opened", or the errno as a word. */
function attempt(files: GrantedFiles, path: string, flags = 0): string {
  try {
    files.open(path, flags).close();
    return "opened";
  } catch (error) {
    assert(error instanceof BlockError, String(error));
    return errnoName(error.errno);
  }
}

Deno.test("files below a granted directory are opened, by absolute and by relative path", () => {
  using place = new Place();
  const files = place.granted("read=in");
  for (const path of ["file", "deep/er/file", "./deep//er/file", "deep/../file"]) {
    assert.equal(attempt(files, path), "opened", path);
    assert.equal(attempt(files, `${place.root}/in/${path}`), "opened", path);
  }
  assert.equal(attempt(files, "nothing"), "ENOENT");
  assert.equal(attempt(files, "deep"), "EISDIR");
  assert.equal(attempt(files, `${place.root}/in`), "EISDIR");
  assert.equal(attempt(files, "file/below"), "ENOTDIR");
  files.close();
});

Deno.test("no path leads out of a granted directory", () => {
  using place = new Place();
  const { root } = place;
  const link = (target: string, name: string) => Deno.symlinkSync(target, `${root}/in/${name}`);
  link("../secret", "relative");
  link(`${root}/secret`, "absolute");
  link(`${root}/in/file`, "absolute-inside");
  link("deep/../file", "inside");
  link("..", "up");
  link("/", "slash");
  link(`/proc/self/root${root}/secret`, "magic");
  link("/proc/self/fd/0", "descriptor");
  link("loop", "loop");
  const files = place.granted("read=in");
  const out = [
    "../secret",
    "deep/../../secret",
    "deep/er/../../../secret",
    `${root}/secret`,
    `${root}/in/../secret`,
    `${root}/in-not/file`,
    `${root}/in/../in-not/file`,
    "relative",
    "absolute",
    "absolute-inside",
    "up/secret",
    `slash${root}/secret`,
    "magic",
    "descriptor",
    "loop",
    "/etc/passwd",
    "/proc/self/mem",
    "..",
    "/",
  ];
  for (const path of out) assert.equal(attempt(files, path), "EACCES", path);
  assert.equal(attempt(files, "inside"), "opened");
  for (const path of ["", "."]) assert.notEqual(attempt(files, path), "opened", path);
  assert.equal(attempt(files, "x".repeat(300)), "ENAMETOOLONG");
  files.close();
});

Deno.test("what was granted to read cannot be written, and nothing is made there", () => {
  using place = new Place();
  const files = place.granted("read=in");
  const { Write, Create } = FileFlag;
  for (const path of ["file", "new", `${place.root}/in/new`]) {
    assert.equal(attempt(files, path, Write | Create), "EACCES", path);
  }
  assert.equal(attempt(files, "new", Create), "ENOENT");
  assert.deepEqual([...Deno.readDirSync(`${place.root}/in`)].map(({ name }) => name).sort(), [
    "deep",
    "file",
  ]);
  files.close();
});

Deno.test("what was granted to write can be made, emptied and read", () => {
  using place = new Place();
  const { Write, Create, Exclusive, Truncate } = FileFlag;
  const files = place.granted("read=.", "write=in/deep");
  assert.equal(attempt(files, "new", Write | Create | Exclusive), "opened");
  assert.equal(attempt(files, "new", Write | Create | Exclusive), "EEXIST");
  assert.equal(Deno.statSync(`${place.root}/in/deep/new`).size, 0);
  assert.equal(attempt(files, "er/file", Write | Truncate), "opened");
  assert.equal(Deno.statSync(`${place.root}/in/deep/er/file`).size, 0);
  // To read, the first grant counts; to write, the first that allows it.
  assert.equal(attempt(files, "secret"), "opened");
  assert.equal(attempt(files, "secret", Write), "ENOENT");
  assert.equal(attempt(files, `${place.root}/secret`, Write), "EACCES");
  files.close();
});

Deno.test("a single file can be granted, and nothing beside it", () => {
  using place = new Place();
  const files = place.granted("write=in/file");
  assert.equal(attempt(files, `${place.root}/in/file`, FileFlag.Write), "opened");
  assert.equal(attempt(files, `${place.root}/in/file/x`), "ENOTDIR");
  assert.equal(attempt(files, `${place.root}/in/deep/er/file`), "EACCES");
  assert.equal(attempt(files, "file"), "EACCES");
  files.close();
  assert.throws(() => place.granted("read=nothing"), {
    name: "BlockError",
    message: `cannot allow read=${place.root}/nothing: No such file or directory (ENOENT)`,
  });
});

Deno.test("only files can be opened, and nothing waits for the other end of a pipe", async () => {
  using place = new Place();
  await new Deno.Command("mkfifo", { args: [`${place.root}/in/pipe`] }).output();
  Deno.symlinkSync("file", `${place.root}/in/link`);
  const files = place.granted("write=in", "read=/dev/zero");
  assert.equal(attempt(files, "pipe"), "EACCES");
  assert.equal(attempt(files, "pipe", FileFlag.Write), "EACCES");
  assert.equal(attempt(files, "/dev/zero"), "EACCES");
  assert.equal(attempt(files, "link", FileFlag.Write), "opened");
  files.close();
});

/** A disk of 64 KiB in the file "disk": everything is passed on, as it comes, with the request as token. */
const FILE_DISK = laterWat(
  `(data (i32.const 16) "disk")
  (global $file (mut i32) (i32.const -1))
  (func (export "sb_ready") (result i32)
    (global.set $file (call $file_open (i32.const 16) (i32.const 4) (i32.const 3)))
    (if (i32.lt_s (global.get $file) (i32.const 0))
      (then (return (i32.sub (i32.const 0) (global.get $file)))))
    (call $file_resize (global.get $file) (i64.const 65536)))
  (func (export "sb_open") (param i32 i32 i32) (result i32) (i32.const 0))
  (func (export "sb_size") (param i32) (result i64) (call $file_size (global.get $file)))
  (func (export "sb_pread") ${RANGE}
    (call $file_pread (global.get $file)
      (call $reply_buffer (local.get $req) (i64.const 0) (local.get $count))
      (local.get $count) (local.get $offset) (i32.const 0) (local.get $req)))
  (func (export "sb_pwrite") (param $h i32) (param $req i32) (param $data i32)
    (param $count i64) (param $offset i64) (param $flags i32) (result i32)
    (call $file_pwrite (global.get $file) (local.get $data) (local.get $count)
      (local.get $offset) (local.get $flags) (local.get $req)))
  (func (export "sb_info") (param i32 i32) (result i32)
    (i32.store offset=24 (local.get 1) (i32.const 2)) (i32.const 0))
  (func (export "sb_flush") (param $h i32) (param $req i32) (param $flags i32) (result i32)
    (call $file_sync (global.get $file) (i32.const 0) (local.get $req)))
  (func (export "sb_trim") ${RANGE}
    (call $file_zero (global.get $file) (local.get $count) (local.get $offset) (i32.const 2)
      (local.get $req)))
  (func (export "sb_done") (param i32 i32) (call $complete (local.get 0) (local.get 1)))`,
  [
    "complete",
    "reply_buffer",
    "file_open",
    "file_resize",
    "file_size",
    "file_pread",
    "file_pwrite",
    "file_sync",
    "file_zero",
  ],
);

function fileDisk(place: Place, ioUring: boolean): { client: TestClient; lines: string[] } {
  const grants = parseGrants(["write=in"], place.root);
  const lines: string[] = [];
  const log = (level: string, text: string) => void lines.push(`${level}: ${text}`);
  const files = new GrantedFiles(grants.files, { log, ioUring });
  const watchdog = new Watchdog();
  const manifest = { abi: "3.1", capabilities: { write: { required: true } } };
  const device = PluginDevice.create(preparePlugin(plugin(FILE_DISK, manifest)), [], {
    watch: watchdog.watch(10_000),
    log,
    instances: 1,
    grants,
    files,
  });
  watchdog.stop();
  const client = new TestClient(device, device.open("", { readOnly: false, peer: "" }));
  return { client, lines };
}

for (const ioUring of [true, false]) {
  Deno.test(`a plugin serves a disk out of a file, ${ioUring ? "with" : "without"} io_uring`, () => {
    using place = new Place();
    const { client, lines } = fileDisk(place, ioUring);
    const bytes = Uint8Array.from({ length: 10_000 }, (_, i) => i * 7 & 255);
    client.write(5000, bytes);
    assert.deepEqual(client.read(5000, 10_000), bytes);
    client.write(20_000, bytes, RequestFlag.Fua);
    assert(client.pended > 0, "a write that reaches the disk is not waited for");
    assert.deepEqual(client.read(20_000, 10_000), bytes);
    client.flush();
    const onDisk = Deno.readFileSync(`${place.root}/in/disk`);
    assert.deepEqual(onDisk.subarray(20_000, 30_000), bytes);
    client.trim(8192, 4096);
    assert.deepEqual(client.read(8192, 4096), new Uint8Array(4096));
    assert.equal(client.device.busy, false);
    // The file may become shorter while it is served.
    Deno.truncateSync(`${place.root}/in/disk`, 4096);
    assert.throws(
      () => client.read(0, 8192),
      (error: Refused) => error.errno === Errno.ENODATA && /it ends before/.test(error.text),
    );
    assert.deepEqual(lines, []);
    client.close();
  });
}

Deno.test("calls on files that break a rule fail their request and nothing else", () => {
  using place = new Place();
  const wrong = (call: string) => {
    const wat = FILE_DISK.replace(
      /\(call \$file_pread[\s\S]*?\(local.get \$req\)\)\)\s*\(func \(export "sb_pwrite"/,
      `${call})\n(func (export "sb_pwrite"`,
    );
    assert.notEqual(wat, FILE_DISK);
    const grants = parseGrants(["write=in"], place.root);
    const lines: string[] = [];
    const log = (_level: string, text: string) => void lines.push(text);
    const files = new GrantedFiles(grants.files, { log });
    const manifest = { abi: "3.1", capabilities: { write: {} } };
    const device = PluginDevice.create(preparePlugin(plugin(wat, manifest)), [], {
      watch: new Watchdog().watch(10_000),
      log,
      instances: 1,
      grants,
      files,
    });
    const client = new TestClient(device, device.open("", { readOnly: false, peer: "" }));
    assert.throws(() => client.read(0, 512), { errno: Errno.EIO });
    client.write(0, new Uint8Array(512));
    client.close();
    return lines.join("\n");
  };
  const pread = (file: string, at: string, count: string, flags: string, token: string) =>
    `(call $file_pread ${file} (i32.const ${at}) (i64.const ${count}) (i64.const 0) (i32.const ${flags}) ${token})`;
  const [file, token] = ["(global.get $file)", "(local.get $req)"];
  assert.match(wrong(pread("(i32.const 9)", "0", "1", "0", token)), /there is no open file 9/);
  assert.match(wrong(pread("(i32.const -1)", "0", "1", "0", token)), /there is no open file -1/);
  assert.match(wrong(pread(file, "-16", "512", "0", token)), /are not in its memory/);
  assert.match(
    wrong(pread(file, "0", "0x7fffffffffffffff", "0", token)),
    /1073741824 are possible/,
  );
  assert.match(wrong(pread(file, "0", "-1", "0", token)), /counts and offsets have 63 bits/);
  assert.match(wrong(pread(file, "0", "1", "64", token)), /unknown flags 0x40/);
  assert.match(wrong(pread(file, "0", "1", "0", "(i32.const 0)")), /the token 0 means to wait/);
});

Deno.test("what a plugin has begun to write is written when its files are closed", () => {
  using place = new Place();
  for (const ioUring of [true, false]) {
    const { files: grants } = parseGrants(["write=in"], place.root);
    const files = new GrantedFiles(grants, { log: () => {}, ioUring, asksFirst: false });
    const name = `written-${ioUring}`;
    const file = files.open(name, FileFlag.Write | FileFlag.Create);
    const bytes = new TextEncoder().encode("all of it");
    const job = new FileJobPool().take();
    let errno = -1;
    Object.assign(job, {
      kind: FileJobKind.Write,
      address: Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes))),
      lengthLow: bytes.length,
      sink: { finished: (_job: unknown, result: number) => (file.close(), errno = result) },
    });
    assert.equal(file.run(job, false), Status.Pending);
    files.close();
    assert.equal(errno, 0);
    assert.equal(Deno.readTextFileSync(`${place.root}/in/${name}`), "all of it");
  }
});

Deno.test("a file that somebody has locked is left as it is", () => {
  using place = new Place();
  const files = place.granted("write=in");
  const flags = FileFlag.Write | FileFlag.Truncate | FileFlag.Lock;
  const first = files.open("deep/er/file", FileFlag.Write | FileFlag.Lock);
  assert.equal(attempt(files, "deep/er/file", flags), "EBUSY");
  assert.equal(attempt(files, "deep/er/file", FileFlag.Write), "opened");
  assert.equal(first.size(), 15n);
  first.close();
  assert.equal(attempt(files, "deep/er/file", flags), "opened");
  assert.equal(Deno.statSync(`${place.root}/in/deep/er/file`).size, 0);
  files.close();
});
