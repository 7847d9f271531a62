// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import {
  dataOffset,
  decodeDeviceInfo,
  encodeDeviceInfo,
  encodeParameters,
  UblkControl,
  UblkIo,
} from "./ublk_abi.ts";

Deno.test("commands have the numbers of ublk_cmd.h", () => {
  // _IOWR('u', 0x04, struct ublksrv_ctrl_cmd), _IOR('u', 0x13, ...), _IOWR('u', 0x21, struct ublksrv_io_cmd).
  assert.equal(UblkControl.AddDev, 0xc0207504);
  assert.equal(UblkControl.GetFeatures, 0x80207513);
  assert.equal(UblkIo.CommitAndFetch, 0xc0107521);
});

Deno.test("what is known of a device survives being encoded", () => {
  const info = {
    queues: 1,
    depth: 128,
    state: 2,
    requestBytesMax: 262144,
    device: 7,
    pid: 4321,
    flags: 0x458,
  };
  assert.deepEqual(decodeDeviceInfo(encodeDeviceInfo(info)), info);
});

Deno.test("limits follow from what the device can do", () => {
  const able = {
    size: 2n ** 40n,
    blockSize: 4096,
    preferredBytes: 65536,
    requestBytesMax: 131072,
    readOnly: false,
    rotational: true,
    flush: true,
    fua: true,
    discard: true,
    writeZeroes: false,
    zones: null,
  };
  const view = new DataView(encodeParameters(able).buffer);
  assert.equal(view.getUint32(4, true), 3);
  assert.equal(view.getUint32(8, true), 2 | 4 | 8);
  assert.deepEqual([12, 13, 14, 15].map((at) => view.getUint8(at)), [12, 12, 16, 12]);
  assert.equal(view.getUint32(16, true), 256);
  assert.equal(view.getBigUint64(24, true), 2n ** 31n);
  assert.equal(view.getUint32(44, true), 4096);
  // Whole blocks, and less than 4 GiB.
  assert.equal(view.getUint32(48, true), 0x7ffff8);
  assert.equal(view.getUint32(52, true), 0);

  const none = { ...able, discard: false, readOnly: true, flush: false, fua: false };
  const plain = new DataView(encodeParameters(none).buffer);
  assert.equal(plain.getUint32(4, true), 1);
  assert.equal(plain.getUint32(8, true), 1 | 2);
});

Deno.test("zones are told where the driver looks for them", () => {
  const parameters = {
    size: 2n ** 30n,
    blockSize: 4096,
    preferredBytes: 4096,
    requestBytesMax: 262144,
    readOnly: false,
    rotational: false,
    flush: true,
    fua: true,
    discard: false,
    writeZeroes: false,
    zones: { size: 16 * 1024 * 1024, maxOpen: 8, maxActive: 12, maxAppend: 131072 },
  };
  const view = new DataView(encodeParameters(parameters).buffer);
  // struct ublk_params: header 8, basic 32, discard 20, devt 16, zoned 32.
  assert.equal(view.getUint32(0, true), 112);
  assert.equal(view.getUint32(4, true), 1 | 8);
  assert.equal(view.getUint32(20, true), 32768);
  assert.deepEqual([76, 80, 84].map((at) => view.getUint32(at, true)), [8, 12, 256]);
});

Deno.test("data of a request lies where its queue and tag say", () => {
  assert.equal(dataOffset(0, 0), 0x80000000);
  assert.equal(dataOffset(1, 3), 0x80000000 + 2 ** 41 + 3 * 2 ** 25);
});
