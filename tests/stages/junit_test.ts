// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { readCounts } from "./junit.ts";

const REPORT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="3" failures="1" errors="0" time="0.016">
    <testsuite name="a_test.ts" tests="3" disabled="1" errors="0" failures="1">
        <testcase name="a &amp; &lt;b&gt;" classname="a_test.ts" time="0.000" line="1" col="6">
            <skipped/>
        </testcase>
        <testcase name="b" classname="a_test.ts" time="0.002" line="2" col="6">
        </testcase>
        <testcase name="c" classname="a_test.ts" time="0.001" line="3" col="6">
            <failure message="Uncaught Error: x">Error: x</failure>
        </testcase>
    </testsuite>
</testsuites>
`;

Deno.test("a report gives the numbers and names the tests that did not run", () => {
  assert.deepEqual(readCounts(REPORT), { tests: 3, failed: 1, ignored: ["a & <b>"] });
});

Deno.test("a report that breaks off is refused", () => {
  assert.throws(() => readCounts(REPORT.slice(0, 200)), SyntaxError);
  assert.throws(() => readCounts(""), SyntaxError);
});
