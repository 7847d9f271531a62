// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { kernelDevice, parseDevice } from "./names.ts";

Deno.test("devices are known by name and by path", () => {
  const nbd = { via: "nbd", index: 3, name: "nbd3", path: "/dev/nbd3" };
  assert.deepEqual(parseDevice("/dev/nbd3"), nbd);
  assert.deepEqual(parseDevice("nbd3"), nbd);
  assert.deepEqual(parseDevice("/dev/ublkb0"), kernelDevice("ublk", 0));
});

Deno.test("what sandblock does not make is refused, and so are partitions", () => {
  const wrong = ["/dev/sda", "nbd", "nbd0p1", "ublk0", "/dev/nbd-1", "nbd99999999", "", "/nbd0"];
  for (const text of wrong) {
    assert.throws(() => parseDevice(text), /use \/dev\/nbdN, \/dev\/bdus-N or \/dev\/ublkbN/, text);
  }
});
