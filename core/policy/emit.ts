// SPDX-License-Identifier: MIT
// Writes the chain of one command as code: tests in order, each rule ending in its verdict. Sets are
// searched by halving, so the time grows with the logarithm of their size.

import { Assembler } from "./assembler.ts";
import type { Link, Lowered } from "./lower.ts";
import { Verdict } from "./module.ts";
import { type Action, BYTES_MAX, type Interval, type RequestNumber } from "./program.ts";

/** Locals of `sb_check`: its parameters, then what is computed from them. */
export const Local = {
  Command: 0,
  Flags: 1,
  OffsetHigh: 2,
  OffsetLow: 3,
  LengthHigh: 4,
  LengthLow: 5,
  ContextHigh: 6,
  ContextLow: 7,
  Offset: 8,
  Length: 9,
  End: 10,
  Log: 11,
} as const;

/** Mutable globals that `sb_clock` sets. */
export const Global = { Weekday: 0, Second: 1 } as const;

const LOCALS = { offset: Local.Offset, length: Local.Length, end: Local.End } as const;

/** Sets of up to so many intervals are looked through in order. */
const LINEAR_MAX = 3;

/** The verdict of an action and the reason for it. */
export function verdictOf(action: Action, reason: number): number {
  const code = action.kind === "kill" ? Verdict.Kill : action.errno;
  return code | reason << Verdict.ReasonShift;
}

/** The code of a chain, which ends by returning a verdict. */
export function emitChain(chain: readonly Link[]): Uint8Array<ArrayBuffer> {
  const code = new Assembler();
  let logs = false;
  for (const { rule, action, when } of chain) {
    const always = when.kind === "constant";
    if (!always) {
      code.open("block");
      for (const part of when.kind === "and" ? when.of : [when]) {
        emitCondition(code, part);
        code.op("i32.eqz").index("br_if", 0);
      }
    }
    if (action.kind === "log") {
      code.i32(Verdict.Log).set(Local.Log);
      logs = true;
    } else {
      code.i32(verdictOf(action, rule + 1));
      if (logs) code.get(Local.Log).op("i32.or");
      code.op("return");
    }
    if (!always) code.op("end");
  }
  return code.written;
}

function emitCondition(code: Assembler, condition: Lowered): void {
  switch (condition.kind) {
    case "constant":
      code.i32(condition.value ? 1 : 0);
      return;
    case "and":
    case "or":
      return emitParts(code, condition.kind, condition.of);
    case "not":
      emitCondition(code, condition.of);
      code.op("i32.eqz");
      return;
    case "context":
      code.get(condition.bit < 32 ? Local.ContextLow : Local.ContextHigh);
      code.i32(1 << (condition.bit & 31)).op("i32.and").i32(0).op("i32.ne");
      return;
    case "flags":
      code.get(Local.Flags).i32(condition.how === "has" ? condition.mask : ~condition.mask);
      code.op("i32.and").i32(0).op(condition.how === "has" ? "i32.ne" : "i32.eq");
      return;
    case "number":
      return emitIsIn(code, LOCALS[condition.field], condition.of);
    case "range":
      return emitRange(code, condition.how, condition.of);
    case "aligned":
      return emitAligned(code, condition.field, condition.size);
    case "time":
      return emitTime(code, condition.of);
    case "weekday":
      code.i32(condition.mask).index("global.get", Global.Weekday).op("i32.shr_u").i32(1);
      code.op("i32.and");
      return;
    default:
      throw new TypeError(`Nothing that is decided per request: ${condition.kind}`);
  }
}

/** All or one of `parts`; the later ones are only looked at if it depends on them. */
function emitParts(code: Assembler, kind: "and" | "or", parts: readonly Lowered[]): void {
  const [first, ...rest] = parts;
  emitCondition(code, first!);
  if (rest.length === 0) return;
  code.open("if", true);
  if (kind === "or") code.i32(1).op("else");
  emitParts(code, kind, rest);
  if (kind === "and") code.op("else").i32(0);
  code.op("end");
}

/**
 * Whether `leaf` holds for one of `intervals`, which are in order. `isLeft` pushes whether it can
 * only hold for those before the middle, given the last of these and the middle one.
 */
function search(
  code: Assembler,
  intervals: readonly Interval[],
  isLeft: (last: Interval, middle: Interval) => void,
  leaf: (interval: Interval) => void,
): void {
  if (intervals.length > LINEAR_MAX) {
    const half = intervals.length >> 1;
    isLeft(intervals[half - 1]!, intervals[half]!);
    code.open("if", true);
    search(code, intervals.slice(0, half), isLeft, leaf);
    code.op("else");
    search(code, intervals.slice(half), isLeft, leaf);
    code.op("end");
    return;
  }
  if (intervals.length === 0) code.i32(0);
  for (const [index, interval] of intervals.entries()) {
    leaf(interval);
    if (index > 0) code.op("i32.or");
  }
}

/** Whether a local is in one of `intervals`. */
function emitIsIn(code: Assembler, local: number, intervals: readonly Interval[]): void {
  search(
    code,
    intervals,
    (_, middle) => code.get(local).i64(middle.low).op("i64.lt_u"),
    ({ low, high }) => {
      code.get(local);
      if (low === high) code.i64(low).op("i64.eq");
      else if (high === BYTES_MAX) code.i64(low).op("i64.ge_u");
      else if (low === 0n) code.i64(high).op("i64.le_u");
      // What is below `low` becomes very large by the subtraction.
      else code.i64(low).op("i64.sub").i64(high - low).op("i64.le_u");
    },
  );
}

function emitRange(code: Assembler, how: "in" | "overlaps", intervals: readonly Interval[]): void {
  const isWithin = how === "in";
  // Of a request without bytes, all bytes are everywhere and none is anywhere.
  code.get(Local.Length).op("i64.eqz").open("if", true).i32(isWithin ? 1 : 0).op("else");
  if (isWithin) {
    search(
      code,
      intervals,
      (_, middle) => code.get(Local.Offset).i64(middle.low).op("i64.lt_u"),
      ({ low, high }) => {
        code.get(Local.Offset).i64(low).op("i64.ge_u");
        code.get(Local.End).i64(high + 1n).op("i64.le_u", "i32.and");
      },
    );
  } else {
    search(
      code,
      intervals,
      (last) => code.get(Local.Offset).i64(last.high).op("i64.le_u"),
      ({ low, high }) => {
        code.get(Local.Offset).i64(high).op("i64.le_u");
        code.get(Local.End).i64(low).op("i64.gt_u", "i32.and");
      },
    );
  }
  code.op("end");
}

function emitAligned(code: Assembler, field: RequestNumber | "range", size: bigint): void {
  if (field === "range") code.get(Local.Offset).get(Local.Length).op("i64.or");
  else code.get(LOCALS[field]);
  code.i64(size - 1n).op("i64.and", "i64.eqz");
}

function emitTime(code: Assembler, times: readonly { low: number; high: number }[]): void {
  for (const [index, { low, high }] of times.entries()) {
    code.index("global.get", Global.Second).i32(low).op("i32.sub").i32(high - low);
    code.op("i32.le_u");
    if (index > 0) code.op("i32.or");
  }
}
