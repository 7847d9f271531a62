// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { logLine } from "./log.ts";

const now = () => new Date(Date.UTC(2030, 0, 2, 3, 4, 5, 6));
const plain = { terminal: false, journal: false, verbose: false, now };

Deno.test("on a terminal a line has no time", () => {
  assert.equal(logLine("info", "x", { ...plain, terminal: true }), "sandblock: info: x");
});

Deno.test("in a file a line has its time", () => {
  assert.equal(
    logLine("error", "cannot x: y", plain),
    "2030-01-02T03:04:05.006Z sandblock: error: cannot x: y",
  );
});

Deno.test("in the journal a line has its priority", () => {
  const journal = { ...plain, journal: true };
  assert.equal(logLine("error", "x", journal), "<3>sandblock: error: x");
  assert.equal(logLine("warning", "x", journal), "<4>sandblock: warning: x");
});

Deno.test("debug messages are for -v only", () => {
  assert.equal(logLine("debug", "x", plain), null);
  assert.equal(
    logLine("debug", "x", { ...plain, terminal: true, verbose: true }),
    "sandblock: debug: x",
  );
});

Deno.test("a message of several lines stays one line", () => {
  assert.equal(
    logLine("info", "a\n  b\nc", { ...plain, terminal: true }),
    "sandblock: info: a | b | c",
  );
});
