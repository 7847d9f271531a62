// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import type { ServeValues } from "./options.ts";
import { planTransmission } from "./transmission.ts";

function refused(values: ServeValues, message: RegExp): void {
  assert.throws(() => planTransmission(values), message);
}

Deno.test("--fd says what the client was told", () => {
  const values = { fd: "7", fdSize: "9223372036854775807", fdFlags: "0x4f", fdReplies: "extended" };
  assert.deepEqual(planTransmission({ ...values, fdExport: "disk" }), [{
    inputFd: 7,
    outputFd: 7,
    transmission: {
      exportName: "disk",
      size: 9223372036854775807n,
      flags: 0x4f,
      replies: "extended",
    },
  }]);
});

Deno.test("flags may be names, and always say that there are flags", () => {
  const [connection] = planTransmission({
    fd: "3",
    fdSize: "1M",
    fdFlags: "flush,write-zeroes,df",
  });
  assert.deepEqual(connection!.transmission, {
    exportName: "",
    size: 2n ** 20n,
    flags: 0x1 | 0x4 | 0x40 | 0x80,
    replies: "simple",
  });
  assert.equal(
    planTransmission({ fd: "3", fdSize: "1", fdFlags: "" })[0]!.transmission!.flags,
    1,
  );
});

Deno.test("every name of a flag stands for its bit in the protocol", () => {
  const names = "read-only,flush,fua,rotational,trim,write-zeroes,df,multi-conn,resize,cache," +
    "fast-zero,block-status-payload";
  assert.equal(
    planTransmission({ fd: "3", fdSize: "1", fdFlags: names })[0]!.transmission!.flags,
    0x1fff,
  );
});

Deno.test("without --fd there is no such connection, and nothing to say about it", () => {
  assert.deepEqual(planTransmission({}), []);
  refused({ fdSize: "1" }, /cannot use --fd-size without --fd: there is no descriptor/);
  refused({ fdReplies: "simple" }, /cannot use --fd-replies without --fd/);
});

Deno.test("size and flags are not guessed", () => {
  refused({ fd: "3", fdFlags: "1" }, /cannot use --fd without --fd-size: it says what/);
  refused({ fd: "3", fdSize: "1" }, /cannot use --fd without --fd-flags/);
});

Deno.test("what cannot be a flag, a size or a form of replies is refused", () => {
  const base = { fd: "3", fdSize: "1", fdFlags: "1" };
  refused({ ...base, fdFlags: "flsh" }, /there is no flag "flsh"; did you mean "flush"\?/);
  refused(
    { ...base, fdFlags: "0x10000" },
    /cannot use --fd-flags "0x10000": it is more than 0xffff/,
  );
  refused({ ...base, fdSize: "9E" }, /cannot use --fd-size "9E": too large/);
  refused({ ...base, fdReplies: "structurd" }, /did you mean "structured"\?/);
  refused({ ...base, fd: "-1" }, /cannot use --fd "-1": it is from 0 to 1048576/);
});
