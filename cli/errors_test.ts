// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describeError, UsageError } from "./errors.ts";

Deno.test("an error is one line", () => {
  assert.equal(describeError(new Error("cannot x: y"), false), "sandblock: error: cannot x: y\n");
});

Deno.test("wrong usage points at the help, in the same line", () => {
  assert.equal(
    describeError(new UsageError("cannot x: y", "sandblock man --help"), false),
    'sandblock: error: cannot x: y; see "sandblock man --help"\n',
  );
});

Deno.test("wrong usage that says what would be right points nowhere", () => {
  assert.equal(
    describeError(new UsageError('cannot x: y; did you mean "z"?'), false),
    'sandblock: error: cannot x: y; did you mean "z"?\n',
  );
});

Deno.test("the stack is for -v only", () => {
  const error = new Error("cannot x: y");
  assert.ok(describeError(error, true).includes("errors_test.ts"));
  assert.ok(!describeError(error, false).includes("errors_test.ts"));
});

Deno.test("control characters in what was typed do not reach the terminal", () => {
  assert.equal(
    describeError(new Error('cannot use "a\nb\x1b[2J"'), false),
    'sandblock: error: cannot use "a\\x0ab\\x1b[2J"\n',
  );
});
