// SPDX-License-Identifier: MIT
// What was agreed on, as the transmission phase sees it.

import assert from "node:assert/strict";
import { Command } from "../block/request.ts";
import { createSession, type SessionTerms } from "./session.ts";
import { exportInfo, ModelExport } from "./testing/model_export.ts";
import { NOT_OFFERED } from "./permitted.ts";
import { CommandFlag, Replies, TransmissionFlag as Flag } from "./wire.ts";

function session(terms: Partial<SessionTerms> = {}, changes = {}) {
  return createSession({
    export: new ModelExport(exportInfo(1 << 20, changes)),
    exportName: "disk",
    replies: Replies.Extended,
    metaContexts: [{ id: 1, name: "base:allocation" }],
    ...terms,
  });
}

Deno.test("flags agreed on elsewhere take away what they do not have", () => {
  const { flags, permittedFlags } = session({ flags: Flag.HasFlags | Flag.SendFlush });
  assert.equal(flags, Flag.HasFlags | Flag.SendFlush);
  assert.equal(permittedFlags[Command.Trim], NOT_OFFERED);
  assert.equal(permittedFlags[Command.Flush], 0);
});

Deno.test("flags agreed on elsewhere can make an export read-only but not writable", () => {
  assert.equal(session({ flags: Flag.ReadOnly }).permittedFlags[Command.Write], NOT_OFFERED);
  const readOnly = session({ flags: Flag.HasFlags | Flag.SendTrim }, { readOnly: true });
  assert.equal(readOnly.flags, Flag.HasFlags | Flag.ReadOnly);
});

/** The commands of NBD; there are others that only kernels have. */
const NBD_COMMANDS = Object.values(Command).filter((command) => command <= Command.BlockStatus);

Deno.test("FUA is permitted on every command once it is offered", () => {
  const permitted = session().permittedFlags;
  for (const command of NBD_COMMANDS) {
    assert.ok((permitted[command]! & CommandFlag.Fua) !== 0, `command ${command}`);
  }
  const without = session({ flags: 0xffff & ~Flag.SendFua & ~Flag.ReadOnly }).permittedFlags;
  for (const command of NBD_COMMANDS) {
    if (command === Command.Disconnect) continue;
    assert.equal(without[command]! & CommandFlag.Fua, 0);
  }
});

Deno.test("largest payload is that of the export or of the server, whichever is less", () => {
  const maximum = (maximum: number) =>
    session({}, { blockSize: { minimum: 512, preferred: 4096, maximum } }).payloadMaximum;
  assert.equal(maximum(1 << 20), 1 << 20);
  assert.equal(maximum(0xffffffff), 1 << 25);
  assert.equal(
    session({}, { blockSize: { minimum: 512, preferred: 4096, maximum: 4096 } }).alignmentMask,
    511,
  );
});
