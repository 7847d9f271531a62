// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import {
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
