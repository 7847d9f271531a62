// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { join } from "node:path";
import { closeDescriptor } from "./descriptor.ts";
import { EntryType, readDirectory } from "./directory.ts";
import { SystemError } from "./errno.ts";
import {
  allocateAt,
  coarseMs,
  Falloc,
  found,
  readAt,
  Rwf,
  seekData,
  seekEnd,
  seekHole,
  syncAll,
  syncData,
  writeAt,
} from "./file_data.ts";
import {
  describeFile,
  inMemory,
  makeBlocking,
  Open,
  openBeneath,
  openFile,
  openFlags,
  reopen,
} from "./file.ts";
import { discardPages, PAGE_BYTES, reserve, unmap } from "./mmap.ts";

const EBADF = 9;
const ENXIO = 6;
const NO_DESCRIPTOR = 999_999;

function inDirectory(test: (path: string) => void): void {
  const path = Deno.makeTempDirSync();
  try {
    test(path);
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
}

Deno.test("data calls take offsets beyond 32 bits and find what was written there", () => {
  inDirectory((path) => {
    const file = join(path, "file");
    Deno.writeFileSync(file, new Uint8Array());
    Deno.truncateSync(file, 2 ** 36);
    const fd = openFile(file, Open.ReadWrite);
    const memory = reserve(2 * PAGE_BYTES);
    memory.bytes.fill(3, 0, PAGE_BYTES);
    assert.equal(writeAt(fd, memory.address, PAGE_BYTES, 3, 0x8000_0000, Rwf.Dsync), PAGE_BYTES);
    const back = memory.address + PAGE_BYTES;
    assert.equal(readAt(fd, back, PAGE_BYTES, 3, 0x8000_0000, 0), PAGE_BYTES);
    assert.equal(memory.bytes[2 * PAGE_BYTES - 1], 3);
    assert.equal(seekData(fd, 0, 0), 0);
    assert.deepEqual({ ...found }, { high: 3, low: 0x8000_0000 });
    assert.equal(seekHole(fd, 3, 0x8000_0000), 0);
    assert.deepEqual({ ...found }, { high: 3, low: 0x8000_0000 + PAGE_BYTES });
    assert.equal(allocateAt(fd, Falloc.Punch, 3, 0, 1, 0), 0);
    assert.equal(seekData(fd, 0, 0), -ENXIO);
    assert.equal(seekEnd(fd), 0);
    assert.deepEqual({ ...found }, { high: 16, low: 0 });
    assert.equal(syncData(fd), 0);
    assert.equal(syncAll(fd), 0);
    closeDescriptor(fd);
    assert.equal(readAt(NO_DESCRIPTOR, back, 1, 0, 0, 0), -EBADF);
    assert.equal(syncData(NO_DESCRIPTOR), -EBADF);
    unmap(memory);
  });
});

Deno.test("a name below a directory cannot lead out of it", () => {
  inDirectory((path) => {
    Deno.mkdirSync(join(path, "in"));
    Deno.writeTextFileSync(join(path, "outside"), "x");
    Deno.writeTextFileSync(join(path, "in", "inside"), "x");
    Deno.symlinkSync("../outside", join(path, "in", "link"));
    const directory = openFile(join(path, "in"), Open.ReadOnly | Open.Directory);
    closeDescriptor(openBeneath(directory, "inside", Open.ReadOnly));
    for (const name of ["../outside", "link", join(path, "outside"), "missing"]) {
      assert.throws(() => openBeneath(directory, name, Open.ReadOnly), SystemError);
    }
    closeDescriptor(directory);
  });
});

Deno.test("files are told apart by kind, size and identity", () => {
  inDirectory((path) => {
    Deno.writeFileSync(join(path, "a"), new Uint8Array(5));
    Deno.linkSync(join(path, "a"), join(path, "b"));
    Deno.writeFileSync(join(path, "c"), new Uint8Array(5));
    const facts = ["a", "b", "c", "."].map((name) => {
      const fd = openFile(join(path, name), Open.ReadOnly);
      const fact = describeFile(fd);
      closeDescriptor(fd);
      return fact;
    });
    assert.deepEqual(facts.map(({ kind }) => kind), ["regular", "regular", "regular", "directory"]);
    assert.equal(facts[0]!.sizeLow, 5);
    assert.equal(facts[0]!.identity, facts[1]!.identity);
    assert.notEqual(facts[0]!.identity, facts[2]!.identity);
  });
});

Deno.test("a FIFO without a writer does not hold up who opens it", () => {
  inDirectory((path) => {
    const fifo = join(path, "fifo");
    assert.ok(new Deno.Command("mkfifo", { args: [fifo] }).outputSync().success);
    const fd = openFile(fifo, Open.ReadOnly);
    assert.equal(describeFile(fd).kind, "other");
    closeDescriptor(fd);
  });
});

Deno.test("a descriptor is opened again with other rights and its own position", () => {
  inDirectory((path) => {
    const file = join(path, "file");
    Deno.writeFileSync(file, new Uint8Array(5));
    const fd = openFile(file, Open.ReadOnly);
    makeBlocking(fd);
    const again = reopen(fd, Open.ReadWrite);
    assert.deepEqual(openFlags(fd), { readable: true, writable: false, direct: false });
    assert.deepEqual(openFlags(again), { readable: true, writable: true, direct: false });
    closeDescriptor(fd);
    closeDescriptor(again);
    const expected = {
      errno: EBADF,
      message: `cannot use descriptor ${NO_DESCRIPTOR}: Bad file descriptor (EBADF)`,
    };
    assert.throws(() => openFlags(NO_DESCRIPTOR), expected);
  });
});

Deno.test("a directory is read completely, again and again", () => {
  inDirectory((path) => {
    const names = Array.from({ length: 600 }, (_, i) => `file-${"x".repeat(i % 100)}-${i}`);
    for (const name of names) Deno.writeFileSync(join(path, name), new Uint8Array());
    const fd = openFile(path, Open.ReadOnly | Open.Directory);
    for (let i = 0; i < 2; i++) {
      const entries = [...readDirectory(fd)];
      assert.deepEqual(entries.map(({ name }) => name).sort(), [...names].sort());
      assert.ok(
        entries.every(({ type }) => type === EntryType.Regular || type === EntryType.Unknown),
      );
    }
    closeDescriptor(fd);
  });
});

Deno.test("tmpfs is in memory", () => {
  const fd = openFile("/dev/shm", Open.ReadOnly | Open.Directory);
  assert.equal(inMemory(fd), true);
  closeDescriptor(fd);
  const proc = openFile("/proc", Open.ReadOnly | Open.Directory);
  assert.equal(inMemory(proc), false);
  closeDescriptor(proc);
});

Deno.test("reserved memory is zero, also after it was given back", () => {
  const memory = reserve(16 * PAGE_BYTES);
  assert.ok(memory.bytes.every((byte) => byte === 0));
  memory.bytes.fill(9);
  discardPages(memory.address + PAGE_BYTES, PAGE_BYTES);
  assert.equal(memory.bytes[PAGE_BYTES - 1], 9);
  assert.equal(memory.bytes[PAGE_BYTES], 0);
  assert.equal(memory.bytes[2 * PAGE_BYTES], 9);
  unmap(memory);
});

Deno.test("the coarse clock goes on", async () => {
  const start = coarseMs();
  await new Promise((resolve) => setTimeout(resolve, 60));
  const passed = (coarseMs() - start) | 0;
  assert.ok(passed >= 40 && passed < 10_000, `${passed} ms`);
});
