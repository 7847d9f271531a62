// SPDX-License-Identifier: MIT
// mirror under many requests at a time, while devices fail and come back at random: whatever happens, reads
// are right, and in the end all devices are the same.

import assert from "node:assert/strict";
import type { TestClient } from "../../core/backend/testing.ts";
import type { Request } from "../../core/block/request.ts";
import { client, fill, node, useNodes } from "../test_graph.ts";
import {
  assertSameBytes,
  breakDevice,
  Fuse,
  FUSE_BYTES,
  fusedContents,
  metric,
  randomFrom,
  withFiles,
  workUntil,
} from "../test_nodes.ts";

const FUSE = "lib/test-fuse";
await useNodes("mirror", "delay", FUSE);

const SIZE = 3 << 20;
const ROUNDS = 40;
const BREAKS = [Fuse.Write, Fuse.Flush, Fuse.Read, Fuse.All, Fuse.Write | Fuse.Zero];

/** Writes in the order of their coming, also where they overlap. */
function writesAtOnce(disk: TestClient, model: Uint8Array, random: (n: number) => number): void {
  const requests: Request[] = Array.from({ length: 1 + random(12) }, () => {
    const length = 1 + random(9000);
    // Close together, so that they overlap; and on both sides of a region's end.
    const at = (random(3) << 20) + random(40_000) + (random(2) === 0 ? 250_000 : 0);
    const data = fill(length, random(256));
    model.set(data, at);
    return disk.writeRequest(at, data, random(8) === 0 ? 1 : 0);
  });
  assert.deepEqual(disk.together(requests), requests.map(() => 0));
  disk.giveBack();
}

for (const seed of [1, 2, 3]) {
  Deno.test(`mirror of three stays right whatever two of them do (${seed})`, () => {
    withFiles([0, 1, 2].map(() => new Uint8Array(SIZE + FUSE_BYTES)), (paths) => {
      const log: string[] = [];
      const devices = paths.map((path, i) => {
        const fuse = node(FUSE, node(`file ${path}`));
        return i === 0 ? fuse : node(`delay rdelay=${i * 20}us wdelay=${i * 30}us`, fuse);
      });
      const disk = client(node("mirror rejoin=2ms", ...devices), log);
      const random = randomFrom(seed * 1000);
      const model = new Uint8Array(SIZE);
      for (let round = 0; round < ROUNDS; round++) {
        // Device 1 is always in order.
        const victim = random(2) * 2;
        const kind = random(4);
        if (kind === 0) breakDevice(paths[victim]!, BREAKS[random(BREAKS.length)]!, 5);
        else if (kind === 1) breakDevice(paths[victim]!, 0);
        writesAtOnce(disk, model, random);
        if (random(4) === 0) disk.flush();
        const at = random(SIZE - 70_000);
        assertSameBytes(disk.read(at, 70_000), model.subarray(at, at + 70_000), `round ${round}`);
      }
      for (const path of paths) breakDevice(path, 0);
      workUntil(disk, () => metric(disk, "in_sync") === 3);
      assertSameBytes(disk.read(0, SIZE), model);
      disk.close();
      for (const path of paths) assertSameBytes(fusedContents(path), model, path);
      assert.match(log.join("\n"), /is tried again/);
    });
  });
}
