// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import {
  type DeviceRecord,
  makeStateDirectory,
  newRecord,
  readRecord,
  readRecords,
  removeRecord,
  writeRecord,
} from "./state.ts";

function withState(body: (path: string) => void): void {
  const path = Deno.makeTempDirSync({ prefix: "sandblock-state-" });
  const before = Deno.env.get("SANDBLOCK_STATE");
  Deno.env.set("SANDBLOCK_STATE", path);
  try {
    body(path);
  } finally {
    if (before === undefined) Deno.env.delete("SANDBLOCK_STATE");
    else Deno.env.set("SANDBLOCK_STATE", before);
    Deno.removeSync(path, { recursive: true });
  }
}

function record(name: string, pid = Deno.pid): DeviceRecord {
  return newRecord({
    device: `/dev/${name}`,
    name,
    via: "nbd",
    pid,
    size: "9007199254740993",
    blockSize: 512,
    readOnly: false,
    connections: 1,
    queues: 1,
    depth: 128,
    timeoutSeconds: 30,
    recoverySeconds: 600,
    identifier: "x",
    graph: ["memory", "1G"],
    since: "2026-01-01T00:00:00Z",
  });
}

Deno.test("records are kept whole and found in order", () =>
  withState(() => {
    writeRecord(record("nbd1"));
    writeRecord(record("nbd0"));
    assert.deepEqual(readRecord("nbd1"), record("nbd1"));
    assert.deepEqual(readRecords().map(({ name }) => name), ["nbd0", "nbd1"]);
    assert.equal(readRecord("nbd2"), null);
  }));

Deno.test("a record is only removed for the process that it names", () =>
  withState((path) => {
    writeRecord(record("nbd0", 1));
    removeRecord("nbd0", Deno.pid);
    assert.equal(readRecord("nbd0")?.pid, 1);
    removeRecord("nbd0", 1);
    assert.deepEqual([...Deno.readDirSync(path)], []);
  }));

Deno.test("a record that is not ours is refused, not guessed at", () =>
  withState((path) => {
    for (
      const text of ["", "{", "null", '{"format":99,"name":"nbd0"}', '{"format":1,"name":"nbd1"}']
    ) {
      Deno.writeTextFileSync(`${path}/nbd0.json`, text);
      assert.throws(() => readRecord("nbd0"), /not written by this version/, text);
    }
  }));

Deno.test("a state directory that others may write to is refused", () =>
  withState((path) => {
    assert.equal(makeStateDirectory(), path);
    Deno.chmodSync(path, 0o777);
    assert.throws(() => makeStateDirectory(), /others may write to it/);
  }));
