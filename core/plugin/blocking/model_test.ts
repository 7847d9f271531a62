// SPDX-License-Identifier: MIT
// A filter that waits for everything, against a model, with many requests under way.

import assert from "node:assert/strict";
import fc from "fast-check";
import { Command, type Request, RequestFlag } from "../../block/request.ts";
import { assertSameBytes } from "../../../tests/support/bytes.ts";
import { Agenda } from "../agenda.ts";
import { TestPlugin } from "../test_device.ts";
import { lateDisk } from "../test_filters.ts";
import { DISK_BYTES, diskWat } from "../test_plugins.ts";
import { TestPool, THROUGH, THROUGH_MANIFEST } from "./test_pool.ts";

/** Requests under way at a time, each in a part of the disk of its own. */
const PARTS = 8;
const PART_BYTES = DISK_BYTES / PARTS;

interface Step {
  kind: "read" | "write" | "zero" | "extents" | "flush";
  at: number;
  length: number;
  fua: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom("read", "write", "zero", "extents", "flush"),
  at: fc.nat(PART_BYTES - 1),
  length: fc.integer({ min: 1, max: PART_BYTES }),
  fua: fc.boolean(),
});

const DISKS: Record<string, (agenda: Agenda) => TestPlugin> = {
  "answers at once": (agenda) => new TestPlugin(diskWat(), { agenda }),
  "answers later": lateDisk,
};

for (const [how, make] of Object.entries(DISKS)) {
  Deno.test(`a filter that waits behaves as what it stands on, which ${how}`, () => check(make));
}

function check(make: (agenda: Agenda) => TestPlugin): void {
  const agenda = new Agenda();
  const below = make(agenda);
  const pool = new TestPool(THROUGH, {
    manifest: THROUGH_MANIFEST,
    children: [below.device],
    agenda,
    runsAgenda: true,
    instances: 3,
  });
  const { client, device, lines } = pool;
  const model = new Uint8Array(DISK_BYTES);
  const begin = ({ kind, length, fua }: Step, at: number, seed: number): Request => {
    const flags = fua && client.opened.info.can.fua !== 0 ? RequestFlag.Fua : 0;
    const big = BigInt(length);
    if (kind === "read") return client.request(Command.Read, at, big, 0);
    if (kind === "extents") return client.request(Command.BlockStatus, at, big, 0);
    if (kind === "flush" && client.opened.info.can.flush !== 0) {
      return client.request(Command.Flush, 0, 0n, 0);
    }
    if (kind === "flush") return client.request(Command.Read, at, big, 0);
    if (kind === "zero") {
      model.fill(0, at, at + length);
      return client.request(Command.WriteZeroes, at, big, flags);
    }
    const data = new Uint8Array(length).map((_, i) => (i * 7 + seed) & 255);
    model.set(data, at);
    return client.writeRequest(at, data, flags);
  };
  let seed = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: PARTS }), (steps) => {
      const requests = steps.map((one, part) => {
        const length = Math.min(one.length, PART_BYTES - one.at);
        return begin({ ...one, length }, part * PART_BYTES + one.at, seed++);
      });
      assert.deepEqual(client.together(requests), requests.map(() => 0));
      client.giveBack();
      assertSameBytes(client.read(0, DISK_BYTES), model);
    }),
    { numRuns: 40 },
  );
  assert.deepEqual(lines, []);
  client.opened.close();
  device.close();
}
