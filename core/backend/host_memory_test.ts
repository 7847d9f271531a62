// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import fc from "fast-check";
import { HostMemory } from "./host_memory.ts";
import { PAGE_BYTES } from "../../native/mmap.ts";

const MIB = 1024 * 1024;

/** Resident bytes of the mapping that contains `address`. */
function residentBytes(address: number): number {
  let inside = false;
  for (const line of Deno.readTextFileSync("/proc/self/smaps").split("\n")) {
    const range = /^([0-9a-f]+)-([0-9a-f]+) /.exec(line);
    if (range !== null) {
      inside = parseInt(range[1]!, 16) <= address && address < parseInt(range[2]!, 16);
    } else if (inside && line.startsWith("Rss:")) return parseInt(line.slice(4)) * 1024;
  }
  throw new Error("Address is not mapped");
}

Deno.test("a memory hands out disjoint aligned blocks and takes them back", () => {
  const size = 256;
  const request = fc.record({
    pages: fc.integer({ min: 1, max: 40 }),
    short: fc.integer({ min: 0, max: PAGE_BYTES - 1 }),
    alignment: fc.constantFrom(1, 512, 4096, 8192, 65536),
    drop: fc.option(fc.nat()),
  });
  fc.assert(fc.property(fc.array(request, { maxLength: 80 }), (requests) => {
    const memory = new HostMemory(size * PAGE_BYTES);
    const whole = memory.freeBytes;
    const held: { pointer: number; length: number; alignment: number }[] = [];
    let heldBytes = 0;
    for (const { pages, short, alignment, drop } of requests) {
      const length = pages * PAGE_BYTES - short;
      const pointer = memory.allocate(length, alignment);
      if (pointer !== 0) {
        assert.equal(pointer % alignment, 0);
        assert.ok(pointer + length <= memory.bytes.length);
        for (const other of held) {
          const apart = pointer + length <= other.pointer ||
            other.pointer + other.length <= pointer;
          assert.ok(apart);
        }
        held.push({ pointer, length, alignment });
        heldBytes += pages * PAGE_BYTES;
      }
      if (drop !== null && held.length > 0) {
        const [gone] = held.splice(drop % held.length, 1);
        memory.free(gone!.pointer, gone!.length, gone!.alignment);
        heldBytes -= Math.ceil(gone!.length / PAGE_BYTES) * PAGE_BYTES;
      }
      assert.equal(memory.freeBytes, whole - heldBytes);
    }
    for (const { pointer, length, alignment } of held) memory.free(pointer, length, alignment);
    // Coalesced completely: the whole region is one block again.
    const all = memory.allocate(whole, 1);
    assert.notEqual(all, 0);
    assert.equal(memory.allocate(1, 1), 0);
    memory.free(all, whole, 1);
    memory.close();
  }));
});

Deno.test("a memory without room answers 0 and goes on", () => {
  const memory = new HostMemory(4 * PAGE_BYTES);
  const pointer = memory.allocate(3 * PAGE_BYTES, 1);
  assert.notEqual(pointer, 0);
  assert.equal(memory.allocate(1, 1), 0);
  memory.free(pointer, 3 * PAGE_BYTES, 1);
  assert.equal(memory.allocate(4 * PAGE_BYTES, 1), 0);
  assert.notEqual(memory.allocate(PAGE_BYTES, 1), 0);
  memory.close();
});

Deno.test("large free blocks go back to the system", () => {
  const memory = new HostMemory(256 * MIB);
  const before = residentBytes(memory.address);
  const pointers = Array.from({ length: 6 }, () => memory.allocate(32 * MIB, PAGE_BYTES));
  for (const pointer of pointers) memory.bytes.fill(1, pointer, pointer + 32 * MIB);
  assert.ok(residentBytes(memory.address) - before > 180 * MIB);
  for (const pointer of pointers) memory.free(pointer, 32 * MIB, PAGE_BYTES);
  assert.ok(memory.retainedBytes <= 16 * MIB);
  assert.ok(residentBytes(memory.address) - before < 32 * MIB);
  // What was given back reads as zeroes and can be used again.
  const again = memory.allocate(64 * MIB, PAGE_BYTES);
  memory.bytes[again] = 7;
  assert.equal(memory.bytes[again], 7);
  memory.free(again, 64 * MIB, PAGE_BYTES);
  memory.close();
});

Deno.test("small blocks stay resident when they are given back", () => {
  const memory = new HostMemory(64 * MIB);
  const pointer = memory.allocate(MIB, PAGE_BYTES);
  memory.bytes.fill(9, pointer, pointer + MIB);
  memory.free(pointer, MIB, PAGE_BYTES);
  assert.equal(memory.retainedBytes, MIB);
  const again = memory.allocate(MIB, PAGE_BYTES);
  assert.equal(memory.bytes[again], 9);
  assert.equal(memory.retainedBytes, 0);
  memory.free(again, MIB, PAGE_BYTES);
  memory.close();
});

Deno.test("the address of a memory is where its bytes are", () => {
  const memory = new HostMemory(4 * PAGE_BYTES);
  const real = Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(memory.bytes)));
  assert.equal(memory.address, real);
  memory.close();
});
