// SPDX-License-Identifier: MIT
// Filters that store the same content in another form: swab, xor.

import assert from "node:assert/strict";
import { assertSameBytes } from "../tests/support/bytes.ts";
import { Support } from "../core/block/export.ts";
import { client, fill, node, useNodes, withFile } from "./test_graph.ts";

const MIB = 1 << 20;
await useNodes("swab", "xor", "memory", "delay", "truncate");

function swapped(bytes: Uint8Array, word: number): Uint8Array {
  return bytes.map((_, i) => bytes[i - i % word + word - 1 - i % word]!);
}

for (const bits of [8, 16, 32, 64]) {
  Deno.test(`swab: words of ${bits} bits`, () => {
    const word = bits / 8;
    withFile(fill(MIB + 7, 5), (path) => {
      const disk = client(node(`swab swab-bits=${bits}`, node(`file ${path}`)));
      const { info } = disk.opened;
      assert.equal(info.sizeLow, MIB + 7 - (MIB + 7) % word);
      assert.equal(info.blockSize.minimum, word);
      const model = swapped(fill(MIB, 5), word);
      assertSameBytes(disk.read(0, MIB), model);
      assertSameBytes(disk.read(3 * word, 7 * word), model.subarray(3 * word, 10 * word));
      disk.write(5 * word, fill(9 * word, 8));
      model.set(fill(9 * word, 8), 5 * word);
      disk.zero(64 * word, 3 * word);
      model.fill(0, 64 * word, 67 * word);
      assertSameBytes(disk.read(0, MIB), model);
      disk.flush();
      disk.close();
      assertSameBytes(Deno.readFileSync(path).subarray(0, MIB), swapped(model, word));
    });
  });
}

Deno.test("swab: holes stay holes, and zeroes are zeroed below", () => {
  const disk = client(node("swab", node("memory 1M")));
  assert.deepEqual(disk.extents(0, MIB), [{ length: MIB, flags: 3 }]);
  assert.equal(disk.opened.info.can.zero, Support.Native);
  assert.equal(disk.opened.info.can.fua, Support.Native);
  disk.trim(0, 4096);
  disk.close();
});

for (
  const key of ["ff", "0102", "a1b2c3", "00112233445566", "0102030405060708", "010203040506070809"]
) {
  for (const below of [node("memory 1M"), node("delay rdelay=1us wdelay=1us", node("memory 1M"))]) {
    Deno.test(`xor: everything is combined with ${key} (${below.kind === "plugin" && below.prepared.manifest.name})`, () => {
      const bytes = Uint8Array.from(key.match(/../g)!, (digits) => parseInt(digits, 16));
      const combined = (data: Uint8Array, offset: number) =>
        data.map((byte, i) => byte ^ bytes[(offset + i) % bytes.length]!);
      const disk = client(node(`xor xor-key=${key}`, below));
      assertSameBytes(disk.read(0, 100), combined(new Uint8Array(100), 0));
      disk.write(12345, fill(1000, 3));
      assertSameBytes(disk.read(12345, 1000), fill(1000, 3));
      disk.zero(13, 50);
      assertSameBytes(disk.read(13, 50), new Uint8Array(50));
      assert.deepEqual(disk.extents(0, MIB), [{ length: MIB, flags: 0 }]);
      disk.close();
    });
  }
}

Deno.test("xor: what is stored is the content combined with the key", () => {
  withFile(new Uint8Array(1000), (path) => {
    const disk = client(node("xor xor-key=0102", node(`file ${path}`)));
    disk.write(1, Uint8Array.of(0, 0, 0xff));
    disk.close();
    assert.deepEqual([...Deno.readFileSync(path).subarray(0, 5)], [0, 2, 1, 0xfd, 0]);
  });
});

Deno.test("xor: what is no key is refused with a sentence", () => {
  for (const key of ["", "1", "123", "zz", "a!", "0x", "ab".repeat(4097)]) {
    assert.throws(
      () => client(node(`xor xor-key=${key}`, node("memory 1000"))),
      /cannot use the key: it has 1 to 4096 bytes/,
      key.slice(0, 5),
    );
  }
  client(node(`xor xor-key=${"ab".repeat(4096)}`, node("memory 1000"))).close();
});
