// SPDX-License-Identifier: MIT
// What is on the devices is what the documentation says (README.md, "On the devices"), read by other code.

import assert from "node:assert/strict";
import { client, fill, node, useNodes } from "../test_graph.ts";
import { assertSameBytes, metric, withFiles, workUntil } from "../test_nodes.ts";
import { dataStart } from "./test_array.ts";

await useNodes("parity");

const CHUNK = 4096;
const JOURNAL = 131072;

/** CRC-32C, bit by bit. */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

const MASK = (1n << 64n) - 1n;
const [P1, P2, P3, P4, P5] = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
] as const;
const rotate = (value: bigint, by: bigint) => (value << by | value >> 64n - by) & MASK;
const round = (lane: bigint, input: bigint) => rotate((lane + input * P2) & MASK, 31n) * P1 & MASK;

/** XXH64 with the seed 0, as the specification has it, of lengths without a rest below 8 but single bytes. */
function xxh64(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let hash: bigint = P5;
  let at = 0;
  if (bytes.length >= 32) {
    const lanes = [P1 + P2 & MASK, P2, 0n, -P1 & MASK];
    for (; at + 32 <= bytes.length; at += 32) {
      lanes.forEach((lane, i) => lanes[i] = round(lane, view.getBigUint64(at + i * 8, true)));
    }
    hash = [1n, 7n, 12n, 18n].reduce((sum, by, i) => sum + rotate(lanes[i]!, by) & MASK, 0n);
    for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * P1 + P4) & MASK;
  }
  hash = hash + BigInt(bytes.length) & MASK;
  for (; at < bytes.length; at++) {
    hash = rotate(hash ^ BigInt(bytes[at]!) * P5 & MASK, 11n) * P1 & MASK;
  }
  hash = (hash ^ hash >> 33n) * P2 & MASK;
  hash = (hash ^ hash >> 29n) * P3 & MASK;
  return hash ^ hash >> 32n;
}

Deno.test("the checksums of this test are those that are meant", () => {
  const ascii = (text: string) => new TextEncoder().encode(text);
  assert.equal(crc32c(ascii("123456789")), 0xe3069283);
  assert.equal(xxh64(ascii("")), 0xef46db3751d8e999n);
  assert.equal(xxh64(ascii("a")), 0xd24ec4f1a98c6e5bn);
});

function zeroed(bytes: Uint8Array, at: number, length: number): Uint8Array {
  const copy = bytes.slice();
  copy.fill(0, at, at + length);
  return copy;
}

Deno.test("superblocks and records are as documented", () => {
  const rows = 5;
  const size = dataStart(JOURNAL) + rows * CHUNK;
  withFiles([0, 1, 2, 3].map(() => new Uint8Array(size)), (paths) => {
    const files = paths.map((path) => node(`file ${path}`));
    const disk = client(node(`parity create=true chunk=4K journal=${JOURNAL}`, ...files));
    workUntil(disk, () => metric(disk, "missing") === 0);
    disk.write(3 * CHUNK + 100, fill(500, 7));
    const devices = paths.map((path) => Deno.readFileSync(path));
    disk.close();

    const tails = devices.map((device, index) => {
      const copies = [0, 4096].map((at) => new DataView(device.buffer, at, 4096));
      const generations = copies.map((copy) => copy.getBigUint64(64, true));
      const at = generations[0]! > generations[1]! ? 0 : 1;
      const bytes = device.subarray(at * 4096, at * 4096 + 4096);
      const view = copies[at]!;
      assert.equal(new TextDecoder().decode(bytes.subarray(0, 8)), "SBPARITY");
      assert.equal(view.getUint32(8, true), 1);
      assert.equal(view.getUint32(12, true), crc32c(zeroed(bytes, 12, 4)));
      assert.deepEqual([32, 36].map((field) => view.getUint32(field, true)), [4, index]);
      const sizes = [40, 48, 56].map((field) => Number(view.getBigUint64(field, true)));
      assert.deepEqual(sizes, [CHUNK, JOURNAL, rows]);
      assert.equal(generations[at]! % 2n, BigInt(at), "each generation has its place");
      assert.equal(view.getUint32(72, true), 0xffffffff);
      return {
        at: view.getBigUint64(88, true),
        sequence: view.getBigUint64(96, true),
        id: bytes.slice(16, 32),
      };
    });
    const [tail] = tails;
    for (const one of tails) assert.deepEqual(one, tail, "all devices say the same");

    const start = 65536 + Number(tail!.at);
    const records = devices.slice(0, 2).map((device) => {
      const blocks = Number(new DataView(device.buffer, start).getBigUint64(88, true));
      return device.subarray(start, start + blocks * 4096);
    });
    assertSameBytes(records[0]!, records[1]!, "the copies of a record");
    const record = records[0]!;
    const view = new DataView(record.buffer, record.byteOffset, record.length);
    const field = (at: number) => view.getBigUint64(at, true);
    assert.equal(new TextDecoder().decode(record.subarray(0, 8)), "SBPJRNL1");
    assert.equal(field(8), xxh64(zeroed(record, 8, 8)));
    assert.deepEqual(record.slice(16, 32), tail!.id);
    assert.deepEqual([32, 40, 48, 56, 64, 72].map(field), [
      tail!.sequence,
      1n,
      100n,
      600n,
      100n,
      600n,
    ]);
    assertSameBytes(record.subarray(4096, 4596), fill(500, 7));
    // Row 1 was zeroes, so the parity of what was written is the same; it lies on device 4 - 1 - 1.
    assertSameBytes(record.subarray(Number(field(80)), Number(field(80)) + 500), fill(500, 7));
    const place = dataStart(JOURNAL) + CHUNK + 100;
    assertSameBytes(devices[3]!.subarray(place, place + 500), fill(500, 7), "data");
    assertSameBytes(devices[2]!.subarray(place, place + 500), fill(500, 7), "parity");
    assert(
      devices[3]!.subarray(start, start + 4096).every((byte) => byte === 0),
      "two copies are enough",
    );
  });
});
