// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { loadPolicy } from "../../core/policy/loaded.ts";
import { readCases } from "./cases.ts";
import { runCase } from "./run_case.ts";

const { policy } = loadPolicy(
  new TextEncoder().encode("default errno EPERM\nlog write\nallow read\nkill if length > 1M\n"),
  "test",
);
const instance = new WebAssembly.Instance(policy.module);

function differences(cases: string): (string | null)[] {
  return readCases(`cases:\n${cases}`, "cases.yaml").map((one) => runCase(one, policy, instance));
}

Deno.test("cases that are met say nothing, others say what came instead", () => {
  assert.deepEqual(
    differences(`
  - { request: read 1 at 0, expect: allow, line: 3, logs: [] }
  - { request: write 1 at 0, expect: errno EPERM, line: 1, logs: [2] }
  - { request: write 2M at 0, expect: kill }
  - { request: read 1 at 0, expect: kill }
  - { request: write 1 at 0, expect: errno EIO }
  - { request: read 1 at 0, expect: allow, line: 1 }
  - { request: write 1 at 0, expect: errno EPERM, logs: [] }
`),
    [
      null,
      null,
      null,
      "expected kill, got allow by the rule in line 3",
      "expected errno EIO, got errno EPERM by the default (line 1)",
      "expected line 1 to decide, but line 3 did",
      "expected lines that log: none; got 2",
    ],
  );
});

Deno.test("what is wrong in a table of cases is told with its place", () => {
  const wrong = (text: string) => {
    try {
      readCases(text, "c");
    } catch (error) {
      return (error as Error).message.replace('cannot use cases "c": ', "");
    }
    return "";
  };
  const one = (text: string) => wrong(`cases:\n  - ${text}`);
  assert.equal(wrong(""), "line 1, column 1: the file is empty");
  assert.equal(wrong("cases: []"), "line 1, column 8: there are no cases");
  assert.equal(wrong("case: []"), 'line 1, column 1: unknown key "case"; did you mean "cases"?');
  assert.match(wrong("cases: ["), /^line 1, column \d+: /);
  assert.match(wrong("a: 1\na: 2"), /^line 2, column 1: Map keys must be unique/);
  assert.equal(one("{ expect: allow }"), 'line 2, column 5: a case needs "request"');
  assert.equal(
    one("{ request: raed 1 at 0, expect: allow }"),
    'line 2, column 16: unknown command "raed"; did you mean "read"?',
  );
  assert.match(one("{ request: read 1, expect: allow }"), /column 16: cannot read request/);
  assert.match(one("{ request: read, expect: allow }"), /"read" needs a range/);
  assert.match(one("{ request: flush 1 at 0, expect: allow }"), /a flush has no range/);
  assert.match(one("{ request: flush, expect: errno EPREM }"), /did you mean "errno EPERM"/);
  assert.match(
    one("{ request: flush, expect: allow, time: 25:00 }"),
    /cannot read time|put it into/,
  );
  assert.match(one("{ request: flush, expect: allow, peer: you }"), /cannot read peer "you"/);
  assert.match(one("{ request: flush, expect: allow, flags: [fau] }"), /did you mean "fua"/);
  assert.match(one("{ request: read 8E at 0, expect: allow }"), /not a number of bytes|2\^63/);
});
