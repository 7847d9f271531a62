// SPDX-License-Identifier: MIT
// Values of options: the same ways of writing numbers as for the parameters of plugins.

import { ParameterError } from "../core/plugin/errors.ts";
import { parseDuration, parseInteger, parseSize } from "../core/plugin/quantities.ts";
import { bytesText } from "./describe.ts";
import { UsageError } from "./errors.ts";

/** Smallest and largest number that an option takes, both included. */
export interface Range {
  minimum: number;
  maximum: number;
}

/** Longest time that can be asked for: setTimeout counts milliseconds in 31 bits. */
const DURATION_MS_MAX = 2 ** 31 - 1;

/** A number of things. Throws UsageError. */
export function count(option: string, text: string, range: Range): number {
  return within(option, text, parse(option, text, parseInteger), range);
}

/** A number of bytes below 2^53. Throws UsageError. */
export function size(option: string, text: string, range: Range): number {
  return within(option, text, parse(option, text, parseSize), range, bytesText);
}

/** A number of bytes up to 2^63-1. Throws UsageError. */
export function exactSize(option: string, text: string): bigint {
  return parse(option, text, parseSize);
}

/** A time in milliseconds, at least 1. Throws UsageError. */
export function milliseconds(option: string, text: string): number {
  const duration = Number(parse(option, text, parseDuration) / 1_000_000n);
  if (duration >= 1 && duration <= DURATION_MS_MAX) return duration;
  throw new UsageError(`cannot use ${option} "${text}": it is a time from 1ms to 24d`);
}

function parse(option: string, text: string, parser: (text: string) => bigint): bigint {
  try {
    return parser(text);
  } catch (error) {
    if (!(error instanceof ParameterError)) throw error;
    throw new UsageError(`cannot use ${option} "${text}": ${error.message}`);
  }
}

function within(
  option: string,
  text: string,
  value: bigint,
  range: Range,
  written = (number: number) => `${number}`,
): number {
  const { minimum, maximum } = range;
  if (value >= BigInt(minimum) && value <= BigInt(maximum)) return Number(value);
  throw new UsageError(
    `cannot use ${option} "${text}": it is from ${written(minimum)} to ${written(maximum)}`,
  );
}
