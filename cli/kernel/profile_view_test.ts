// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { exportInfo } from "../../core/nbd/testing/model_export.ts";
import type { OpenExport } from "../../core/block/device.ts";
import { Command, Request, Status } from "../../core/block/request.ts";
import { Profile } from "../../core/reactor/profile.ts";
import { profileOf, profileRows } from "./profile_view.ts";

/** An export that answers as it is told to. */
class Told implements OpenExport {
  readonly info = exportInfo(65536);
  status: number = Status.Done;
  submit(): number {
    return this.status;
  }
  close(): void {}
}

function request(command: number, lengthLow: number): Request {
  return Object.assign(new Request(), { command, lengthLow });
}

Deno.test("requests are counted when they are answered, at once or later, over all threads", () => {
  const [one, other] = [new Profile(), new Profile()];
  const device = new Told();
  const watched = one.watch(device);
  assert.equal(watched.info, device.info);
  assert.equal(watched.place, undefined);
  watched.submit(request(Command.Read, 4096));
  device.status = 5;
  assert.equal(watched.submit(request(Command.Write, 512)), 5);
  device.status = Status.Pending;
  const completions: [Request, number][] = [];
  const sink = { completed: (done: Request, errno: number) => completions.push([done, errno]) };
  const pending = Object.assign(request(Command.Read, 8192), { sink });
  assert.equal(watched.submit(pending), Status.Pending);
  pending.sink.completed(pending, 0);
  assert.deepEqual(completions, [[pending, 0]]);
  assert.equal(pending.sink, sink);
  device.status = Status.Done;
  other.watch(device).submit(request(Command.Read, 1));
  const devices = [one, other].map((profile, reactor) => ({
    reactor,
    export: "",
    nodes: [profile.metrics(), { node: "0", plugin: "x", failures: 0, restarts: 0, samples: [] }],
  }));
  const profile = profileOf({ connections: [], devices })!;
  const { read, write, flush } = profile;
  assert.deepEqual([read!.requests, read!.bytes, read!.errors], [3, 12289, 0]);
  assert.deepEqual([write!.requests, write!.bytes, write!.errors], [1, 512, 1]);
  assert.equal(flush!.requests, 0);
  assert.equal(read!.histogram.reduce((sum, bucket) => sum + bucket.requests, 0), 3);
  assert.deepEqual([read!.histogram[1]!.atMost, read!.histogram.at(-1)!.atMost], [2, null]);
  const rows = profileRows(profile, { read: 3 });
  assert.deepEqual(rows.map(([name]) => name), ["read", "write"]);
  assert.match(rows[0]![1], /^3 requests, on average \d+ us in the device, 1000 us as the kernel/);
  assert.match(rows[1]![1], /, 1 failed$/);
});

Deno.test("where nothing was counted there is no profile", () => {
  assert.equal(profileOf(null), null);
  assert.equal(profileOf({ connections: [1], devices: [] }), null);
});
