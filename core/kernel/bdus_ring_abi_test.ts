// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import {
  decodeRingDevice,
  encodeResize,
  encodeRingDevice,
  encodeRingDeviceId,
  ringLayout,
  RingRequest,
} from "./bdus_ring_abi.ts";

const DEVICE = {
  size: 1n << 40n,
  blockSize: 512,
  preferredBytes: 4096,
  requestBytesMax: 262144,
  timeoutMs: 30000,
  queues: 2,
  depth: 100,
  readOnly: false,
  write: true,
  writeZeroes: true,
  fua: false,
  flush: true,
  discard: true,
  secureErase: true,
  ioctl: true,
  linuxIoctls: true,
  rotational: false,
  recoverable: true,
  label: "a disk, of 40 characters at the very least",
};

Deno.test("parts of a ring follow one another as BDUS_RING_* of abi2.h say", () => {
  assert.deepEqual(ringLayout(100), {
    entries: 128,
    items: 4096 / 4,
    payloads: (4096 + 32 * 128) / 4,
    completions: (4096 + 40 * 128) / 4,
    submissions: (4096 + 56 * 128) / 4,
    bytes: 4096 + 60 * 128,
  });
  assert.equal(ringLayout(1).entries, 1);
  assert.equal(ringLayout(4096).entries, 4096);
});

Deno.test("a device survives being told to the module and read back", () => {
  const bytes = encodeRingDevice(DEVICE);
  assert.equal(bytes.length, 128);
  assert.deepEqual(decodeRingDevice(bytes), {
    id: 0,
    size: 2 ** 40,
    requestBytesMax: 262144,
    queues: 2,
    depth: 100,
    ioctl: true,
    linuxIoctls: true,
    state: "unavailable",
    driver: 0,
    label: "a-disk,-of-40-characters-at-the",
  });
});

Deno.test("a device has the bits of what its driver takes", () => {
  const view = new DataView(encodeRingDevice(DEVICE).buffer);
  assert.equal(view.getUint32(0, true), 128);
  assert.equal(view.getUint32(4, true), 1 | 32);
  assert.equal(
    view.getUint32(24, true),
    1 << 3 | 1 << 4 | 1 << 6 | 1 << 7 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12,
  );
});

Deno.test("requests have the numbers of abi2.h", () => {
  assert.deepEqual(Object.values(RingRequest), [
    0xbd41,
    0xbd42,
    0xbd43,
    0xbd44,
    0xbd45,
    0x4010bd46,
  ]);
  assert.equal(encodeResize(3, 4096n).join(), "3,0,0,0,0,0,0,0,0,16,0,0,0,0,0,0");
  assert.equal(encodeRingDeviceId(258).subarray(8, 16).join(), "2,1,0,0,0,0,0,0");
});
