// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { clearEvent, closeDescriptor, createEvent } from "./descriptor.ts";
import { Epoll, Poll } from "./epoll.ts";
import { Falloc } from "./file_data.ts";
import { Open, openFile } from "./file.ts";
import { FSYNC_DATASYNC, IoUring, Uring } from "./io_uring.ts";
import { PAGE_BYTES, reserve, unmap } from "./mmap.ts";

const EBADF = 9;

/** Runs `test` with a ring whose event is watched, a file of `size` bytes and some memory. */
function withRing(
  size: number,
  test: (
    ring: IoUring,
    finish: (count: number) => Map<number, number>,
    fd: number,
    isSignalled: () => boolean,
  ) => void,
): void {
  const ring = new IoUring(8);
  const event = createEvent();
  ring.registerEvent(event);
  const epoll = new Epoll(1);
  epoll.add(event, Poll.In);
  const path = Deno.makeTempFileSync();
  Deno.truncateSync(path, size);
  const fd = openFile(path, Open.ReadWrite);
  Deno.removeSync(path);
  const finish = (count: number) => {
    const results = new Map<number, number>();
    const deadline = performance.now() + 5000;
    while (results.size < count) {
      assert.ok(performance.now() < deadline, "the event is signalled");
      // Interrupted when the kernel starts a worker for the ring.
      if (epoll.wait(1000) === 0) continue;
      ring.collect();
      clearEvent(event);
      const there = ring.collect();
      for (let i = 0; i < there; i++) results.set(ring.tag(i), ring.result(i));
      ring.consume(there);
    }
    return results;
  };
  try {
    test(ring, finish, fd, () => epoll.wait(0) > 0);
  } finally {
    ring.close();
    for (const open of [fd, event, epoll.fd]) closeDescriptor(open);
  }
}

Deno.test("a ring reads and writes at offsets beyond 32 bits", () => {
  withRing(2 ** 40, (ring, finish, fd) => {
    const memory = reserve(2 * PAGE_BYTES);
    memory.bytes.fill(7, 0, 100);
    ring.write(1, fd, memory.address, 100, 128, 5, 0);
    assert.equal(ring.queued, 1);
    assert.equal(ring.submit(), 0);
    assert.equal(ring.queued, 0);
    assert.deepEqual([...finish(1)], [[1, 100]]);
    ring.read(2, fd, memory.address + PAGE_BYTES, 200, 128, 0, 0);
    ring.submit();
    assert.deepEqual([...finish(1)], [[2, 200]]);
    const got = memory.bytes.subarray(PAGE_BYTES, PAGE_BYTES + 200);
    const expected = new Uint8Array(200);
    expected.fill(7, 5, 105);
    assert.deepEqual(got, expected);
    unmap(memory);
  });
});

Deno.test("a ring whose event is muted finishes without signalling it, until that is ended", () => {
  withRing(PAGE_BYTES, (ring, finish, fd, isSignalled) => {
    ring.muteEvent();
    ring.fsync(1, fd, 0, 0, 0, 0);
    ring.submit();
    const deadline = performance.now() + 5000;
    while (!ring.ready) assert.ok(performance.now() < deadline, "the operation is finished");
    assert.equal(ring.collect(), 1);
    ring.consume(1);
    assert.equal(isSignalled(), false);
    ring.unmuteEvent();
    ring.fsync(2, fd, 0, 0, 0, 0);
    ring.submit();
    assert.deepEqual([...finish(1)], [[2, 0]]);
  });
});

Deno.test("a ring allocates, discards ranges and syncs", () => {
  withRing(1024 * 1024, (ring, finish, fd) => {
    ring.fallocate(1, fd, Falloc.Punch, 0, 4096, 0, 8192);
    ring.fsync(2, fd, 0, 4096, 4096, FSYNC_DATASYNC);
    ring.fadvise(3, fd, 0, 0, 65536, 3);
    ring.submit();
    const results = finish(3);
    assert.deepEqual([results.get(1), results.get(2), results.get(3)], [0, 0, 0]);
  });
});

Deno.test("an operation that fails gives its negative errno and hurts no other", () => {
  withRing(100, (ring, finish, fd) => {
    const memory = reserve(PAGE_BYTES);
    ring.read(1, 999_999, memory.address, 10, 0, 0, 0);
    ring.read(2, fd, memory.address, 10, 0, 0, 0);
    ring.submit();
    const results = finish(2);
    assert.equal(results.get(1), -EBADF);
    assert.equal(results.get(2), 10);
    unmap(memory);
  });
});

Deno.test("places in a ring are used again and again", () => {
  withRing(100_000, (ring, finish, fd) => {
    const memory = reserve(PAGE_BYTES);
    for (let round = 0; round < 50; round++) {
      for (let tag = 0; tag < ring.entries; tag++) {
        ring.read(tag, fd, memory.address, 1 + tag, 0, round, 0);
      }
      ring.submit();
      const results = finish(ring.entries);
      for (let tag = 0; tag < ring.entries; tag++) assert.equal(results.get(tag), 1 + tag);
    }
    unmap(memory);
  });
});

Deno.test("a ring knows what the kernel has", () => {
  withRing(0, (ring) => {
    assert.equal(ring.supports(Uring.Read), true);
    assert.equal(ring.supports(250), false);
  });
});
