// SPDX-License-Identifier: MIT
// Filters that take capabilities away or change them: readonly, nofua, notrim, noextents, nocache, nozero,
// multi-conn.

import assert from "node:assert/strict";
import { Refused, type TestClient } from "../core/backend/testing.ts";
import { Support } from "../core/block/export.ts";
import { Command, RequestFlag } from "../core/block/request.ts";
import type { PluginDevice } from "../core/plugin/instance.ts";
import { client, fill, node, open, start, useNodes, withFile } from "./test_graph.ts";

const MIB = 1 << 20;
await useNodes("readonly", "nofua", "notrim", "noextents", "nocache", "nozero", "multi-conn");
await useNodes("memory", "offset", "stats", "fua");
const { None, Emulate, Native } = Support;

/** What `stats`, below a filter, has counted. */
function counted(device: PluginDevice): Record<string, number> {
  const [stats] = device.children as readonly PluginDevice[];
  return Object.fromEntries(stats!.metrics().map(({ name, value }) => [name, value]));
}

function withStats(
  filter: string,
  use: (disk: TestClient, count: () => Record<string, number>) => void,
): void {
  withFile(fill(MIB, 3), (path) => {
    const disk = client(node(filter, node("stats", node(`file ${path}`))));
    use(disk, () => counted(disk.device as PluginDevice));
    disk.close();
  });
}

Deno.test("readonly: nothing can be written, and what is below is not opened for that", () => {
  withFile(fill(MIB, 1), (path) => {
    Deno.chmodSync(path, 0o444);
    const disk = client(node("readonly", node(`file ${path}`)));
    const { can, readOnly } = disk.opened.info;
    assert.equal(readOnly, true);
    assert.deepEqual([can.write, can.trim, can.zero, can.fua], [None, None, None, None]);
    assert.deepEqual(disk.read(500, 5000), fill(MIB, 1).subarray(500, 5500));
    assert.throws(() => disk.write(0, fill(10, 1)), Refused);
    disk.close();
  });
});

Deno.test("nofua, notrim, noextents: one capability is missing, all others are as below", () => {
  withFile(new Uint8Array(MIB), (path) => {
    const below = client(node(`file ${path}`));
    for (const name of ["fua", "trim", "extents"] as const) {
      const disk = client(node(`no${name}`, node(`file ${path}`)));
      assert.notEqual(below.opened.info.can[name], None);
      assert.deepEqual(disk.opened.info.can, { ...below.opened.info.can, [name]: None });
      disk.write(3, fill(100, 4));
      assert.deepEqual(disk.read(3, 100), fill(100, 4));
      disk.close();
    }
    below.close();
  });
});

Deno.test("noextents: everything is data, also for a filter above it", () => {
  for (const above of ["", "offset"]) {
    const graph = node("noextents", node("memory 1M"));
    const disk = client(above === "" ? graph : node(above, graph));
    assert.deepEqual(disk.extents(0, MIB), [{ length: MIB, flags: 0 }]);
    disk.close();
  }
});

Deno.test("notrim: a trim is refused", () => {
  const disk = client(node("notrim", node("memory 1M")));
  assert.throws(() => disk.trim(0, 4096), Refused);
  disk.close();
});

Deno.test("nocache: none, reads, or nothing", () => {
  withStats("nocache", (disk) => {
    assert.equal(disk.opened.info.can.cache, None);
    assert.throws(() => disk.cache(0, 4096), Refused);
  });
  withStats("nocache cachemode=emulate", (disk, count) => {
    assert.equal(disk.opened.info.can.cache, Emulate);
    disk.cache(4096, 300_000);
    assert.equal(count()["read_bytes"], 300_000);
  });
  withStats("nocache cachemode=nop", (disk, count) => {
    assert.equal(disk.opened.info.can.cache, Native);
    disk.cache(4096, 300_000);
    assert.equal(count()["reads"], 0);
  });
});

Deno.test("nozero: none, writes, or no holes", () => {
  withStats("nozero", (disk) => {
    assert.deepEqual([disk.opened.info.can.zero, disk.opened.info.can.fastZero], [None, None]);
    assert.throws(() => disk.zero(0, 4096), Refused);
  });
  withStats("nozero zeromode=emulate", (disk, count) => {
    assert.deepEqual([disk.opened.info.can.zero, disk.opened.info.can.fastZero], [
      Emulate,
      Emulate,
    ]);
    disk.zero(1000, 300_000);
    assert.deepEqual([count()["zeroes"], count()["written_bytes"]], [0, 300_000]);
    assert.deepEqual(disk.read(999, 300_002).subarray(1, -1), new Uint8Array(300_000));
    assert.throws(() => fastZero(disk), { errno: 95 });
  });
  for (const mode of ["plugin", "notrim"]) {
    withFile(fill(MIB, 3), (path) => {
      const before = Deno.statSync(path).blocks!;
      const disk = client(node(`nozero zeromode=${mode}`, node(`file ${path}`)));
      disk.zero(0, MIB / 2);
      disk.close();
      const freed = before - Deno.statSync(path).blocks!;
      assert.equal(freed > 0, mode === "plugin", `${mode}: ${freed} blocks`);
    });
  }
});

function fastZero(disk: TestClient): void {
  disk.zero(0, 65536, RequestFlag.FastZero);
}

Deno.test("nozero: fast ones are not there, fail, or are slow", () => {
  withStats("nozero zeromode=plugin fastzeromode=none", (disk) => {
    assert.equal(disk.opened.info.can.fastZero, None);
  });
  withStats("nozero zeromode=plugin fastzeromode=slow", (disk) => {
    assert.equal(disk.opened.info.can.fastZero, Emulate);
    assert.throws(() => fastZero(disk), { errno: 95 });
  });
  withStats("nozero zeromode=plugin fastzeromode=ignore", (disk, count) => {
    assert.equal(disk.opened.info.can.fastZero, Native);
    fastZero(disk);
    assert.equal(count()["zeroes"], 1);
  });
});

Deno.test("nozero: modes that cannot be had are refused with a sentence", () => {
  const refused = (line: string, message: RegExp) => {
    assert.throws(() => client(node(line, node("nozero", node("memory 1M")))), message);
  };
  refused("nozero fastzeromode=ignore", /it needs zeromode=notrim or zeromode=plugin/);
  refused("nozero zeromode=plugin", /what is below has no requests that write zeroes/);
});

Deno.test("fua: durable writes and flushes, as the mode says", () => {
  const below = (
    mode: string,
    use: (disk: TestClient, count: () => Record<string, number>) => void,
  ) => {
    withFile(new Uint8Array(MIB), (path) => {
      const disk = client(node(`fua fuamode=${mode}`, node("stats", node(`file ${path}`))));
      use(disk, () => counted(disk.device as PluginDevice));
      assert.deepEqual(disk.read(0, 10), fill(10, 1));
      disk.close();
    });
  };
  const fua: Record<string, number> = {
    none: None,
    emulate: Emulate,
    native: Native,
    force: Native,
  };
  // Flushes that arrive below after a durable write and a flush.
  for (
    const [mode, flushes] of [["none", 1], ["emulate", 2], ["native", 1], ["force", 0]] as const
  ) {
    below(mode, (disk, count) => {
      assert.equal(disk.opened.info.can.fua, fua[mode], mode);
      disk.write(0, fill(10, 1), mode === "none" ? 0 : RequestFlag.Fua);
      disk.flush();
      assert.equal(count()["flushes"], flushes, mode);
    });
  }
  for (const [mode, flushes] of [["discard", 0], ["pass", 1]] as const) {
    below(mode, (disk, count) => {
      assert.equal(disk.opened.info.can.fua, Native, mode);
      disk.write(0, fill(10, 1), RequestFlag.Fua);
      disk.zero(100, 10, RequestFlag.Fua);
      disk.trim(4096, 4096, RequestFlag.Fua);
      disk.flush();
      assert.equal(count()["flushes"], flushes, mode);
    });
  }
  for (const mode of ["native", "force"]) {
    assert.throws(
      () => client(node(`fua fuamode=${mode}`, node("nofua", node("memory 1M")))),
      /what is below has no durable writes/,
    );
  }
});

Deno.test("multi-conn: the promise is made, or not, as the mode says", () => {
  const says = (mode: string, below: string) => {
    const disk = client(
      node(
        `multi-conn multi-conn-mode=${mode}`,
        node(`multi-conn multi-conn-mode=${below}`, node("memory 1M")),
      ),
    );
    const { multiConn } = disk.opened.info.can;
    disk.close();
    return multiConn;
  };
  assert.equal(says("auto", "disable"), Native);
  assert.equal(says("auto", "plugin"), Native);
  assert.equal(says("emulate", "disable"), Native);
  assert.equal(says("disable", "plugin"), None);
  assert.equal(says("plugin", "disable"), None);
  assert.equal(says("plugin", "plugin"), Native);
  assert.equal(says("unsafe", "disable"), Native);
});

Deno.test("multi-conn: a flush and a durable write flush all connections", () => {
  withFile(new Uint8Array(MIB), (path) => {
    const device = start(
      node("multi-conn multi-conn-mode=emulate", node("stats", node(`file ${path}`))),
    ) as PluginDevice;
    const clients = [open(device), open(device), open(device)];
    clients[0]!.flush();
    assert.equal(counted(device)["flushes"], 3);
    clients[1]!.write(0, fill(10, 1), RequestFlag.Fua);
    assert.equal(counted(device)["flushes"], 6);
    clients[2]!.opened.close();
    clients[0]!.flush();
    assert.equal(counted(device)["flushes"], 8);
    clients[0]!.opened.close();
    clients[1]!.close();
  });
});

Deno.test("what a mask has nothing to do with goes past it", () => {
  for (
    const filter of ["readonly", "nofua", "notrim", "noextents", "nocache", "nozero", "multi-conn"]
  ) {
    const disk = client(node(filter, node("memory 1M")));
    const [child] = disk.opened.children!;
    assert.equal(disk.opened.route!(Command.Read), child, filter);
    if (filter !== "readonly") assert.equal(disk.opened.route!(Command.Write), child, filter);
    disk.close();
  }
});
