// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { type DeviceOptions, LIMITS_DEFAULT, type ServerSettings } from "./options.ts";
import { placeDevices, type Placement } from "./placement.ts";

const device: DeviceOptions = { kind: "file", values: [] };
const settings: ServerSettings = {
  listen: [],
  connections: [],
  threads: "auto",
  busyPollUs: "auto",
  exitWithLastClient: false,
  verbose: false,
  limits: LIMITS_DEFAULT,
};

function place(count: number, threads: number | "auto" = "auto"): Placement {
  const exports = Array.from({ length: count }, (_, index) => {
    return { name: `disk${index}`, description: "", device, readOnly: false };
  });
  return placeDevices({ ...settings, threads, exports, defaultExport: null });
}

function counts({ reactors }: Placement): number[] {
  return reactors.map(({ length }) => length);
}

Deno.test("one device that is parallel has as many instances as threads", () => {
  const { reactors, exports } = placeDevices({ ...settings, device, readOnly: true, threads: 3 });
  assert.equal(exports, null);
  assert.deepEqual(reactors.map(([one]) => one!.instances), [3, 3, 3]);
});

Deno.test("the only export of a configuration is served where clients are accepted", () => {
  assert.deepEqual(counts(place(1)), [1]);
});

Deno.test("several exports have a thread each, and another accepts clients", () => {
  const placed = place(3);
  assert.deepEqual(counts(placed), [0, 1, 1, 1]);
  assert.deepEqual(placed.exports!.list.map((one) => one.place), [1, 2, 3]);
  for (const { name, place } of placed.exports!.list) {
    assert.deepEqual(placed.reactors[place]!.map((one) => one.exportName), [name]);
  }
});

Deno.test("where there are more exports than threads they share them evenly", () => {
  assert.deepEqual(counts(place(20)), [0, 3, 3, 3, 3, 2, 2, 2, 2]);
  assert.deepEqual(counts(place(5, 2)), [0, 3, 2]);
  assert.deepEqual(counts(place(5, 1)), [5]);
  assert.deepEqual(counts(place(2, 100)), [0, 1, 1]);
});
