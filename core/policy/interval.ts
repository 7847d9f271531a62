// SPDX-License-Identifier: MIT
// Which values an integer of a module can have: an interval of unsigned numbers. Bounds are exact; what
// would leave the range of the type, or of exact numbers, becomes "any value".

/** Unsigned values from `low` to `high`, both included. */
export interface Values {
  readonly low: number;
  readonly high: number;
}

/** `i` i32, `l` i64. Above 2^53 a bound would not be exact, so an i64 has then no upper bound. */
export type IntegerType = "i" | "l";

const I32_MAX = 2 ** 32 - 1;

/** The largest bound of a type that means something. */
function largest(type: IntegerType): number {
  return type === "i" ? I32_MAX : Number.MAX_SAFE_INTEGER;
}

/** Every value of a type. */
export function anyValue(type: IntegerType): Values {
  return { low: 0, high: type === "i" ? I32_MAX : Infinity };
}

/** `low` to `high` where that is within the type, else any value. */
function bounded(type: IntegerType, low: number, high: number): Values {
  return low >= 0 && high <= largest(type) ? { low, high } : anyValue(type);
}

/** Exactly `value`, which is as a constant of the type is written: signed. */
export function constant(type: IntegerType, value: bigint): Values {
  const unsigned = Number(BigInt.asUintN(type === "i" ? 32 : 64, value));
  return bounded(type, unsigned, unsigned);
}

/** What is one or the other. */
export function join(a: Values, b: Values): Values {
  return { low: Math.min(a.low, b.low), high: Math.max(a.high, b.high) };
}

/** The least 2^n - 1 that is not below `value`. */
function ones(value: number): number {
  let mask = 1;
  while (mask - 1 < value) mask *= 2;
  return mask - 1;
}

/** What an instruction with two operands of `type` gives; the name is without the type. */
export function binary(name: string, type: IntegerType, a: Values, b: Values): Values {
  switch (name) {
    case "add":
      return bounded(type, a.low + b.low, a.high + b.high);
    case "sub":
      return a.low >= b.high ? bounded(type, a.low - b.high, a.high - b.low) : anyValue(type);
    case "mul":
      return bounded(type, a.low * b.low, a.high * b.high);
    case "and":
      return bounded(type, 0, Math.min(a.high, b.high));
    case "or":
    case "xor": {
      const high = Math.max(a.high, b.high);
      if (high > largest(type)) return anyValue(type);
      return bounded(type, 0, ones(high));
    }
    case "shr_u":
      return shiftRight(type, a, b);
    case "shl": {
      const factor = b.low === b.high && b.low < 32 ? 2 ** b.low : Infinity;
      return bounded(type, a.low * factor, a.high * factor);
    }
    case "div_u":
      return b.low > 0 ? bounded(type, 0, Math.floor(a.high / b.low)) : anyValue(type);
    case "rem_u":
      return b.low > 0 ? bounded(type, 0, Math.min(a.high, b.high - 1)) : anyValue(type);
    default:
      return /^(eq|ne|[lg][te]_[su])$/.test(name) ? { low: 0, high: 1 } : anyValue(type);
  }
}

function shiftRight(type: IntegerType, a: Values, b: Values): Values {
  if (b.low !== b.high || b.low >= (type === "i" ? 32 : 64)) return bounded(type, 0, a.high);
  // Whatever is in an i64, so many bits less are left of it.
  const high = Math.min(a.high, 2 ** 64 - 1) / 2 ** b.low;
  return bounded(type, 0, Math.floor(high));
}

/** What an instruction with one operand gives; the name is with the type. */
export function unary(name: string, a: Values): Values {
  const type = name.startsWith("i32") ? "i" : "l";
  switch (name) {
    case "i32.eqz":
    case "i64.eqz":
      return { low: 0, high: 1 };
    case "i32.clz":
    case "i32.ctz":
    case "i32.popcnt":
      return { low: 0, high: 32 };
    case "i64.clz":
    case "i64.ctz":
    case "i64.popcnt":
      return { low: 0, high: 64 };
    case "i32.wrap_i64":
      return a.high <= I32_MAX ? a : anyValue("i");
    case "i64.extend_i32_u":
      return a;
    case "i64.extend_i32_s":
      return a.high < 2 ** 31 ? a : anyValue("l");
    default:
      return anyValue(type);
  }
}

/** What a load gives. */
export function loaded(name: string): Values {
  const bits = /load(8|16|32)_u$/.exec(name)?.[1];
  return bits
    ? { low: 0, high: 2 ** Number(bits) - 1 }
    : anyValue(name.startsWith("i32") ? "i" : "l");
}
