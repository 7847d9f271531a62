// SPDX-License-Identifier: MIT
// Numbers are parsed exactly or refused.

import assert from "node:assert/strict";
import fc from "fast-check";
import { ParameterError } from "./errors.ts";
import {
  INT64_MAX,
  parseBool,
  parseDuration,
  parseInteger,
  parsePercentage,
  parseSize,
} from "./quantities.ts";

function refuses(parse: (text: string) => unknown, texts: string[]): void {
  for (const text of texts) assert.throws(() => parse(text), ParameterError, JSON.stringify(text));
}

Deno.test("parseInteger takes decimal and hexadecimal, with a sign", () => {
  assert.equal(parseInteger("42"), 42n);
  assert.equal(parseInteger("-7"), -7n);
  assert.equal(parseInteger("+7"), 7n);
  assert.equal(parseInteger("0x1F"), 31n);
  assert.equal(parseInteger("-0x10"), -16n);
  assert.equal(parseInteger("9223372036854775807"), INT64_MAX);
  assert.equal(parseInteger("-9223372036854775808"), -INT64_MAX - 1n);
  refuses(parseInteger, ["", "-", "1.5", "1e3", "0x", "ten", " 1", "9223372036854775808", "1k"]);
});

Deno.test("parseSize takes powers of 1024 in either case, sectors, and exact fractions", () => {
  const sizes: [string, bigint][] = [
    ["0", 0n],
    ["512", 512n],
    ["10b", 10n],
    ["3s", 1536n],
    ["1K", 1024n],
    ["1k", 1024n],
    ["2MiB", 2097152n],
    ["1.5G", 1610612736n],
    ["1T", 1n << 40n],
    ["1P", 1n << 50n],
    ["7E", 7n << 60n],
    ["0.5K", 512n],
    ["9223372036854775807", INT64_MAX],
  ];
  for (const [text, bytes] of sizes) assert.equal(parseSize(text), bytes, text);
  refuses(parseSize, ["", "K", "-1", "+1", "1.K", ".5K", "8E", "0.3", "1.0001K", "1,5G", "1 2"]);
  assert.throws(() => parseSize("10Q"), /^ParameterError: unknown suffix "Q"; use one of K M G/);
  assert.throws(() => parseSize("10KB"), /unknown suffix "KB"/);
});

Deno.test("parseSize is exact for every number of bytes", () => {
  fc.assert(fc.property(fc.bigInt({ min: 0n, max: INT64_MAX }), (bytes) => {
    assert.equal(parseSize(String(bytes)), bytes);
    const kibi = bytes / 1024n;
    assert.equal(parseSize(`${kibi}K`), kibi * 1024n);
  }));
});

Deno.test("parseDuration takes units down to nanoseconds; seconds without one", () => {
  const durations: [string, bigint][] = [
    ["0", 0n],
    ["3", 3_000_000_000n],
    ["10ms", 10_000_000n],
    ["1.5s", 1_500_000_000n],
    ["2m", 120_000_000_000n],
    ["250us", 250_000n],
    ["250µs", 250_000n],
    ["7ns", 7n],
    ["1h", 3_600_000_000_000n],
    ["1d", 86_400_000_000_000n],
    ["0.000000001", 1n],
  ];
  for (const [text, ns] of durations) assert.equal(parseDuration(text), ns, text);
  refuses(parseDuration, ["", "s", "-1s", "1.5ns", "1M", "1 week", "1m30s", "999999999999d"]);
});

Deno.test("parsePercentage gives parts per million, exactly or not at all", () => {
  assert.equal(parsePercentage("50%"), 500_000n);
  assert.equal(parsePercentage("100"), 1_000_000n);
  assert.equal(parsePercentage("0.1%"), 1000n);
  assert.equal(parsePercentage("0.0001%"), 1n);
  assert.equal(parsePercentage("150%"), 1_500_000n);
  refuses(parsePercentage, ["", "%", "-1%", "0.00001%", "50‰", "half"]);
});

Deno.test("parseBool takes the words for yes and no", () => {
  for (const text of ["1", "true", "TRUE", "yes", "on", "y", "t"]) {
    assert.equal(parseBool(text), true);
  }
  for (const text of ["0", "false", "No", "off", "n", "f"]) assert.equal(parseBool(text), false);
  refuses(parseBool, ["", "2", "maybe", "enabled"]);
});
