// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { BLOCK_SIZE_DEFAULT } from "../block/export.ts";
import { Command, Request, RequestFlag, Status } from "../block/request.ts";
import { ModelDevice } from "./model_device.ts";
import { ModelDisk } from "./model_disk.ts";
import { Random } from "./random.ts";

const SIZE = 65536;

Deno.test("a power failure takes what was neither flushed nor written durably", () => {
  const disk = new ModelDisk(SIZE);
  disk.write(0, Uint8Array.of(1));
  disk.changed(0, 1, false);
  assert.ok(disk.hasVolatile);
  disk.flush();
  assert.ok(!disk.hasVolatile);
  disk.write(8192, Uint8Array.of(2));
  disk.changed(8192, 1, true);
  assert.ok(!disk.hasVolatile);
  disk.write(0, Uint8Array.of(3));
  disk.changed(0, 1, false);
  assert.deepEqual([...disk.copy(true).bytes.subarray(0, 1)], [1]);
  assert.deepEqual([...disk.copy(true).bytes.subarray(8192, 8193)], [2]);
  assert.deepEqual([...disk.copy(false).bytes.subarray(0, 1)], [3]);
});

Deno.test("only whole blocks become holes", () => {
  const disk = new ModelDisk(SIZE, new Uint8Array(SIZE).fill(1));
  assert.ok(disk.allocated.every((one) => one === 1));
  disk.zero(100, 3 * 4096, true);
  assert.deepEqual([...disk.allocated.subarray(0, 5)], [1, 0, 0, 1, 1]);
  disk.zero(4096, 4096, false);
  assert.deepEqual([...disk.allocated.subarray(0, 5)], [1, 1, 0, 1, 1]);
});

Deno.test("a device that is late answers everything, in another order", () => {
  const behaviour = { late: true, readOnly: false, plain: false, blockSize: BLOCK_SIZE_DEFAULT };
  const device = new ModelDevice(new ModelDisk(SIZE), behaviour, new Random(3));
  const opened = device.open("", { readOnly: false, peer: "" });
  const ended: number[] = [];
  for (let index = 0; index < 20; index++) {
    const request = new Request();
    Object.assign(request, { command: Command.BlockStatus, lengthLow: 4096, token: index });
    request.flags = RequestFlag.ReqOne;
    request.sink = { completed: ({ token }, errno) => void ended.push(errno === 0 ? token : -1) };
    assert.equal(opened.submit(request), Status.Pending);
  }
  while (device.waiting > 0) {
    assert.equal(device.nextMs, 0);
    device.reap();
  }
  assert.equal(device.nextMs, Infinity);
  const sorted = ended.toSorted((a, b) => a - b);
  assert.deepEqual(sorted, Array.from({ length: 20 }, (_, index) => index));
  assert.notDeepEqual(ended, sorted);
  device.close();
});
