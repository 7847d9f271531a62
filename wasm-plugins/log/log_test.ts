// SPDX-License-Identifier: MIT
// Lines about requests: in the server's log and in a file, for what is answered at once and later.

import assert from "node:assert/strict";
import { RequestFlag } from "../../core/block/request.ts";
import { client, fill, node, open, start, useNodes } from "../test_graph.ts";

await useNodes("log", "memory", "delay", "error");
const DATE = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} /;

/** Lines without what differs from run to run: dates, durations, and who logs them. */
function plain(lines: string[]): string[] {
  return lines.map((line) => {
    const text = line.replace(/^info: plugin "log": /, "");
    assert.match(text, DATE, line);
    return text.replace(DATE, "").replace(/ time=\d+\.\d{6}$/, " time=T");
  });
}

function withDirectory(use: (directory: string) => void): void {
  const directory = Deno.makeTempDirSync();
  try {
    use(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

for (const later of [false, true]) {
  Deno.test(`log: every request, its end, and what it was about (${later ? "later" : "at once"})`, () => {
    const memory = node("memory 1M");
    const log: string[] = [];
    const disk = client(
      node("log", later ? node("delay rdelay=2ms wdelay=2ms", memory) : memory),
      log,
    );
    disk.write(0x200, fill(1000, 1), RequestFlag.Fua);
    assert.deepEqual(disk.read(0x200, 1000), fill(1000, 1));
    disk.zero(4096, 8192);
    disk.zero(0, 4096, RequestFlag.NoHole);
    disk.trim(0, 4096);
    disk.cache(1, 2);
    disk.extents(0, 1 << 20, true);
    disk.flush();
    disk.close();
    const requests = [
      "Write id=1 offset=0x200 count=0x3e8 fua=1",
      "Read id=2 offset=0x200 count=0x3e8",
      "Zero id=3 offset=0x1000 count=0x2000 may_trim=1",
      "Zero id=4 offset=0x0 count=0x1000",
      "Trim id=5 offset=0x0 count=0x1000",
      "Cache id=6 offset=0x1 count=0x2",
      "Extents id=7 offset=0x0 count=0x100000 req_one=1",
      "Flush id=8",
    ];
    const ends = requests.map((line) => line.split(" ").slice(0, 2).join(" "));
    const lines = plain(log);
    assert.equal(lines[0], 'connection=1 Open export="" readonly=0 peer="test"');
    assert.match(
      lines[1]!,
      /^connection=1 Connect size=0x100000 minsize=0x1 prefsize=0x\w+ maxsize=0x\w+ write=2 flush=2 rotational=0 trim=2 zero=2 fua=2 extents=2 cache=2 fast_zero=\d multi_conn=2 secure_erase=2 ioctl=0$/,
    );
    assert.deepEqual(
      lines.slice(2),
      [
        ...requests.flatMap((line, i) => [
          `connection=1 ${line} ...`,
          `connection=1 ...${ends[i]} return=0 time=T`,
        ]),
        "connection=1 Disconnect transactions=8",
      ],
    );
    const [, seconds] = / time=(\S+)$/.exec(log[5]!)!;
    assert(later ? Number(seconds) >= 0.002 : Number(seconds) < 1, seconds);
  });
}

Deno.test("log: the date is right", () => {
  const log: string[] = [];
  const before = Date.now();
  client(node("log", node("memory 1M")), log).close();
  const told = Date.parse(
    `${log[0]!.slice('info: plugin "log": '.length).slice(0, 26).replace(" ", "T")}Z`,
  );
  assert(told >= before - 1000 && told <= Date.now() + 1000, log[0]);
});

Deno.test("log: errors have their names, and are passed on", () => {
  const log: string[] = [];
  const below = node(
    "error error=ENOSPC error-pwrite-rate=1 error-pread-rate=1 error-pread=ETIMEDOUT",
    node("memory 1M"),
  );
  const disk = client(node("log", below), log);
  assert.throws(() => disk.write(0, fill(1, 1)), {
    errno: 28,
    text: "the filter error has made it fail",
  });
  assert.throws(() => disk.read(0, 1), { errno: 110 });
  disk.close();
  const lines = plain(log);
  assert(lines.includes("connection=1 ...Write id=1 return=-1 error=ENOSPC time=T"));
  assert(lines.includes("connection=1 ...Read id=2 return=-1 error=ETIMEDOUT time=T"));
});

Deno.test("log: clients are told apart, and no line is left out", () => {
  const log: string[] = [];
  const device = start(node("log", node("delay rdelay=1us", node("memory 1M"))), log);
  const [first, second] = [open(device, "", "one"), open(device, "", "two")];
  for (let i = 0; i < 100; i++) {
    first.read(i, 1);
    second.read(i, 2);
  }
  first.opened.close();
  second.close();
  const lines = plain(log);
  assert.equal(
    lines.filter((line) => /^connection=2 Read id=\d+ .* count=0x2 \.\.\.$/.test(line)).length,
    100,
  );
  assert.equal(lines.length, 2 * (2 + 200 + 1));
  assert(lines.includes('connection=2 Open export="" readonly=0 peer="two"'));
});

Deno.test("log: a file gets all lines, anew or behind what is there", () => {
  withDirectory((directory) => {
    const path = `${directory}/disk.log`;
    const run = (more: string, count: number) => {
      const log: string[] = [];
      const line = `log +write=${directory} logfile=${path} ${more}`.trim();
      const disk = client(node(line, node("memory 1M")), log);
      for (let i = 0; i < count; i++) disk.read(i, 1);
      disk.close();
      assert.deepEqual(log, []);
      const lines = Deno.readTextFileSync(path).split("\n");
      assert.equal(lines.pop(), "", "the last line has an end");
      return plain(lines);
    };
    assert.equal(run("", 5000).length, 10_003);
    const few = run("", 2);
    assert.equal(few.length, 7);
    assert.equal(few.at(-1), "connection=1 Disconnect transactions=2");
    assert.equal(run("logappend=true", 1).length, 7 + 5);
  });
});

Deno.test("log: a file that is not allowed, or cannot be, is refused with a sentence", () => {
  withDirectory((directory) => {
    const graph = (words: string) => node(`log ${words}`, node("memory 1M"));
    assert.throws(
      () => start(graph(`logfile=${directory}/x`)),
      /cannot open the log file ".*\/x": it is not allowed; --allow log:write=DIR allows the directory/,
    );
    assert.throws(
      () => start(graph(`+write=${directory} logfile=${directory}/no/x`)),
      /cannot open the log file ".*\/no\/x": ENOENT/,
    );
  });
});
