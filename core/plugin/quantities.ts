// SPDX-License-Identifier: MIT
// Parses the numbers that people write: integers, sizes, durations, percentages, and yes or no. All
// are exact: what cannot be represented is an error, never rounded.

import { ParameterError } from "./errors.ts";
import { quoted } from "./text.ts";

/** The largest and smallest number that a parameter can carry. */
export const INT64_MAX = 2n ** 63n - 1n;
export const INT64_MIN = -(2n ** 63n);

/** Bytes of a sector, which the suffix `s` counts. */
const SECTOR_BYTES = 512n;

const SIZE_UNITS = new Map<string, bigint>([
  ["", 1n],
  ["b", 1n],
  ["s", SECTOR_BYTES],
  ..."kmgtpe".split("").flatMap((letter, index): [string, bigint][] => {
    const unit = 1024n ** BigInt(index + 1);
    return [[letter, unit], [`${letter}ib`, unit]];
  }),
]);

const DURATION_UNITS = new Map<string, bigint>([
  ["", 1_000_000_000n],
  ["ns", 1n],
  ["us", 1_000n],
  ["µs", 1_000n],
  ["ms", 1_000_000n],
  ["s", 1_000_000_000n],
  ["m", 60_000_000_000n],
  ["h", 3_600_000_000_000n],
  ["d", 86_400_000_000_000n],
]);

/** Parts per million in one per cent. */
const PERCENT = 10_000n;

const YES = ["1", "true", "t", "yes", "y", "on"];
const NO = ["0", "false", "f", "no", "n", "off"];

/** A decimal or `0x` hexadecimal integer, -2^63 to 2^63-1. Throws ParameterError with a fact. */
export function parseInteger(text: string): bigint {
  const match = /^([+-]?)(0x[0-9a-f]+|[0-9]+)$/i.exec(text);
  if (!match) throw new ParameterError("not an integer");
  return bounded(match[1] === "-" ? -BigInt(match[2]!) : BigInt(match[2]!));
}

/**
 * A number of bytes: `4096`, `10M`, `1.5GiB`, `8s`. K M G T P E are powers of 1024, in either case,
 * with or without `iB`; `s` counts sectors of 512 bytes. Throws ParameterError with a fact.
 */
export function parseSize(text: string): bigint {
  const { digits, scale, unit } = splitNumber(text, "a size; write one such as 512, 64K or 1.5G");
  const factor = SIZE_UNITS.get(unit.toLowerCase());
  if (factor === undefined) {
    throw new ParameterError(
      `unknown suffix ${quoted(unit)}; use one of K M G T P E (powers of 1024) or s for sectors`,
    );
  }
  return exact(digits * factor, scale, "a whole number of bytes");
}

/**
 * Nanoseconds: `10ms`, `1.5s`, `2m`; a number alone is in seconds. Throws ParameterError with a
 * fact.
 */
export function parseDuration(text: string): bigint {
  const { digits, scale, unit } = splitNumber(
    text,
    "a duration; write one such as 10ms, 1.5s or 2m",
  );
  const factor = DURATION_UNITS.get(unit);
  if (factor === undefined) {
    throw new ParameterError(`unknown unit ${quoted(unit)}; use one of ns us ms s m h d`);
  }
  return exact(digits * factor, scale, "a whole number of nanoseconds");
}

/** Parts per million: `50%`, `0.1%`; the sign may be left out. Throws ParameterError with a fact. */
export function parsePercentage(text: string): bigint {
  const { digits, scale, unit } = splitNumber(text, "a percentage; write one such as 50%");
  if (unit !== "" && unit !== "%") throw new ParameterError(`${quoted(unit)} follows it; use %`);
  return exact(digits * PERCENT, scale, "a multiple of 0.0001%");
}

/** `true yes on 1`, `false no off 0` and their first letters. Throws ParameterError with a fact. */
export function parseBool(text: string): boolean {
  const word = text.toLowerCase();
  if (YES.includes(word)) return true;
  if (NO.includes(word)) return false;
  throw new ParameterError("not a yes or no; use true or false");
}

/** An unsigned decimal: its digits as an integer, how many of them follow the point, the rest. */
interface SplitNumber {
  digits: bigint;
  scale: bigint;
  unit: string;
}

function splitNumber(text: string, what: string): SplitNumber {
  const match = /^([0-9]+)(?:\.([0-9]{1,18}))?\s*([^0-9.]*)$/.exec(text);
  if (!match || text.length > 64) throw new ParameterError(`not ${what}`);
  const fraction = match[2] ?? "";
  return {
    digits: BigInt(match[1]! + fraction),
    scale: 10n ** BigInt(fraction.length),
    unit: match[3]!,
  };
}

function exact(value: bigint, scale: bigint, what: string): bigint {
  if (value % scale !== 0n) throw new ParameterError(`not ${what}`);
  return bounded(value / scale);
}

function bounded(value: bigint): bigint {
  if (value > INT64_MAX) throw new ParameterError("too large; the largest is 2^63-1");
  if (value < INT64_MIN) throw new ParameterError("too small; the smallest is -2^63");
  return value;
}
