// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { UsageError } from "../errors.ts";
import type { AttachValues } from "./attach_options.ts";
import { planAttach } from "./attach_plan.ts";

const GRAPH = ["file", "disk.img"];

function refused(values: AttachValues, reason: RegExp): void {
  assert.throws(
    () => planAttach(values, GRAPH),
    (error) => error instanceof UsageError && reason.test(error.message),
  );
}

Deno.test("without options the best way is taken, in the background, for any device", () => {
  const plan = planAttach({}, GRAPH);
  assert.equal(plan.via, "auto");
  assert.equal(plan.device, null);
  assert.equal(plan.takeOver, null);
  assert.equal(plan.foreground, false);
  assert.deepEqual([plan.timeoutSeconds, plan.recoverySeconds], [30, 600]);
  assert.deepEqual([plan.connections, plan.depth], [1, 128]);
  assert.deepEqual(plan.serve.listeners, []);
});

Deno.test("a device says by itself which way it is", () => {
  assert.equal(planAttach({ device: "nbd3" }, GRAPH).via, "nbd");
  assert.equal(planAttach({ recover: "/dev/ublkb0", via: "ublk" }, GRAPH).via, "ublk");
  refused({ device: "/dev/nbd3", via: "ublk" }, /that is a device of nbd/);
});

Deno.test("filters are part of what is remembered", () => {
  const plan = planAttach({ filter: ["cow", "stats"], replace: "/dev/nbd0" }, GRAPH);
  assert.deepEqual(plan.graph, ["--filter", "cow", "--filter", "stats", ...GRAPH]);
  assert.equal(plan.takeOver, "replace");
});

Deno.test("times are whole seconds, and 0 is no time at all", () => {
  const plan = planAttach({ timeout: "1500ms", recoveryTimeout: "0" }, GRAPH);
  assert.deepEqual([plan.timeoutSeconds, plan.recoverySeconds], [2, 0]);
  assert.equal(planAttach({ timeout: "0s" }, GRAPH).timeoutSeconds, 0);
});

Deno.test("what makes no sense is refused in a sentence", () => {
  refused({ device: "/dev/sda" }, /use \/dev\/nbdN, \/dev\/bdus-N or \/dev\/ublkbN/);
  refused({ device: "nbd0", recover: "nbd0" }, /--device together with --recover/);
  refused({ recover: "nbd0", replace: "nbd0" }, /--recover together with --replace/);
  refused({ via: "nbdd" }, /one of auto, ublk, bdus, nbd; did you mean "nbd"/);
  refused({ connections: "0" }, /--connections "0"/);
  refused({ depth: "5000" }, /--depth "5000"/);
  refused({ timeout: "soon" }, /--timeout "soon"/);
});

Deno.test("URIs are servers to attach an export of, through nbd", () => {
  const plan = planAttach({ readonly: true }, ["nbd://a/x", "nbd+unix:///x?socket=/s"]);
  assert.equal(plan.via, "nbd");
  assert.deepEqual(plan.remote?.servers.map(({ scheme }) => scheme), ["nbd", "nbd+unix"]);
  assert.equal(plan.remote?.readOnly, true);
  assert.equal(planAttach({}, GRAPH).remote, null);
  const refusedRemote = (values: AttachValues, operands: string[], reason: RegExp) =>
    assert.throws(
      () => planAttach(values, operands),
      (error) => error instanceof UsageError && reason.test(error.message),
    );
  refusedRemote({ filter: ["cow"] }, ["nbd://a"], /--filter with a remote server/);
  refusedRemote({ swap: true }, ["nbd://a"], /--swap with a remote server/);
  refusedRemote({ via: "ublk" }, ["nbd://a"], /--via ublk with a remote server/);
  refusedRemote({ recover: "/dev/ublkb0" }, ["nbd://a"], /--via ublk with a remote server/);
  refusedRemote({}, ["nbd://a", "disk.img"], /cannot parse NBD URI "disk.img"/);
});

Deno.test("a device has as many queues as asked for, and is prepared for swap as a whole", () => {
  assert.equal(planAttach({}, GRAPH).queues, null);
  assert.equal(planAttach({ queues: "4" }, GRAPH).queues, 4);
  refused({ queues: "0" }, /--queues "0"/);
  const { swap, writeback } = planAttach({ swap: true }, GRAPH);
  assert.deepEqual([swap, writeback], [true, true]);
});
