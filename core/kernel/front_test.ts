// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { exportInfo } from "../nbd/testing/model_export.ts";
import { checkSuccession, type FrontFacts, logicalBlockSize, sizeInBlocks } from "./front.ts";
import { newRecord } from "./state.ts";

function info(size: number, minimum: number) {
  const base = exportInfo(size);
  return { ...base, blockSize: { ...base.blockSize, minimum } };
}

Deno.test("blocks have the size that the export needs, within what Linux takes", () => {
  assert.equal(logicalBlockSize(info(1 << 20, 1)), 512);
  assert.equal(logicalBlockSize(info(1 << 20, 4096)), 4096);
  assert.throws(() => logicalBlockSize(info(1 << 20, 65536)), /put --filter blocksize above it/);
});

Deno.test("a device has whole blocks, and at least one", () => {
  assert.equal(sizeInBlocks(info(1024, 1), 512), 1024n);
  assert.equal(sizeInBlocks(info(1535, 1), 512), 1024n);
  assert.throws(() => sizeInBlocks(info(511, 1), 512), /an export of 511 bytes/);
  assert.throws(() => sizeInBlocks(info(0, 1), 512), /at least one block of 512/);
});

Deno.test("only what can keep the promises of a device takes it over", () => {
  const facts: FrontFacts = {
    size: 4096n,
    blockSize: 512,
    readOnly: false,
    connections: 1,
    queues: 1,
    depth: 128,
    timeoutSeconds: 30,
    recoverySeconds: 600,
    identifier: "x",
  };
  const record = newRecord({
    ...facts,
    size: "4096",
    device: "/dev/nbd0",
    name: "nbd0",
    via: "nbd",
    pid: 1,
    graph: ["memory", "4K"],
    since: "2026-01-01T00:00:00Z",
  });
  checkSuccession(facts, record);
  checkSuccession({ ...facts, size: 8192n }, record);
  checkSuccession({ ...facts, readOnly: true }, { ...record, readOnly: true });
  assert.throws(() => checkSuccession({ ...facts, size: 4095n }, record), /now only 4095/);
  assert.throws(() => checkSuccession({ ...facts, blockSize: 4096 }, record), /now needs 4096/);
  assert.throws(() => checkSuccession({ ...facts, readOnly: true }, record), /is read-only/);
});
