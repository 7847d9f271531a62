// SPDX-License-Identifier: MIT
// Transmission flags for each kind of export and client.

import assert from "node:assert/strict";
import { type Capabilities, Support } from "../block/export.ts";
import { transmissionFlags } from "./flags.ts";
import { exportInfo } from "./testing/model_export.ts";
import { Replies, TransmissionFlag as Flag } from "./wire.ts";

const all = exportInfo(1).can;
const none = Object.fromEntries(Object.keys(all).map((key) => [key, Support.None]));

function flags(can: Partial<Capabilities>, replies: Replies = Replies.Simple, contexts = false) {
  const merged = { ...none, write: Support.Native, ...can } as Capabilities;
  return transmissionFlags(exportInfo(1, { can: merged }), replies, contexts);
}

Deno.test("export that can only read and write has no flags but HAS_FLAGS", () => {
  assert.equal(flags({}), Flag.HasFlags);
});

Deno.test("each capability has its flag, native or emulated", () => {
  const pairs: [keyof Capabilities, number][] = [
    ["flush", Flag.SendFlush],
    ["fua", Flag.SendFua],
    ["trim", Flag.SendTrim],
    ["zero", Flag.SendWriteZeroes],
    ["cache", Flag.SendCache],
    ["multiConn", Flag.CanMultiConn],
  ];
  for (const [capability, flag] of pairs) {
    for (const support of [Support.Emulate, Support.Native]) {
      assert.equal(flags({ [capability]: support }), Flag.HasFlags | flag);
    }
  }
});

Deno.test("FAST_ZERO is not advertised without WRITE_ZEROES", () => {
  assert.equal(flags({ fastZero: Support.Native }), Flag.HasFlags);
  const zero = flags({ zero: Support.Native, fastZero: Support.Native });
  assert.equal(zero, Flag.HasFlags | Flag.SendWriteZeroes | Flag.SendFastZero);
});

Deno.test("DF is advertised only with structured or extended replies", () => {
  assert.equal(flags({}, Replies.Simple) & Flag.SendDf, 0);
  assert.notEqual(flags({}, Replies.Structured) & Flag.SendDf, 0);
  assert.notEqual(flags({}, Replies.Extended) & Flag.SendDf, 0);
});

Deno.test("BLOCK_STATUS_PAYLOAD needs extended headers and contexts", () => {
  for (const replies of [Replies.Simple, Replies.Structured, Replies.Extended]) {
    for (const contexts of [false, true]) {
      const expected = replies === Replies.Extended && contexts;
      assert.equal((flags({}, replies, contexts) & Flag.BlockStatusPayload) !== 0, expected);
    }
  }
});

Deno.test("read-only export cannot be trimmed or zeroed", () => {
  const info = exportInfo(1, { readOnly: true, rotational: true });
  const expected = Flag.HasFlags | Flag.ReadOnly | Flag.SendFlush | Flag.SendFua |
    Flag.SendCache | Flag.CanMultiConn | Flag.Rotational;
  assert.equal(transmissionFlags(info, Replies.Simple, false), expected);
});

Deno.test("export that cannot write is read-only", () => {
  assert.equal(flags({ write: Support.None }), Flag.HasFlags | Flag.ReadOnly);
});

Deno.test("RESIZE is never advertised", () => {
  const flags = transmissionFlags(exportInfo(1), Replies.Extended, true);
  assert.equal(flags & Flag.SendResize, 0);
});
