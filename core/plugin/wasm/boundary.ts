// SPDX-License-Identifier: MIT
// Functions that stand between a module and its host so that no 64-bit integer crosses as a bigint:
// each passes its arguments on in another form. They are appended to the module.

import { MiscOp, Op, ValueType } from "./format.ts";
import type { FunctionType } from "./module.ts";
import { ByteWriter } from "./writer.ts";

/** How a value crosses the boundary. */
export const Crossing = {
  /** As it is. */
  Same: 0,
  /** An i64 or i32 as two i32 arguments, upper half first. Not for results. */
  Halves: 1,
  /** An unsigned i64 or i32 as an f64. */
  Number: 2,
} as const;

/** The ways in which the parameters and results of a function cross. */
export interface Crossings {
  parameters: readonly number[];
  results: readonly number[];
}

/** Whether a function needs nothing in between. */
export function crossesAsIs(crossings: Crossings): boolean {
  return [...crossings.parameters, ...crossings.results].every((way) => way === Crossing.Same);
}

/** The type that the host's side of a function has. */
export function outerType(inner: FunctionType, crossings: Crossings): FunctionType {
  const cross = (types: readonly number[], ways: readonly number[]) =>
    types.flatMap((type, index) => {
      if (ways[index] === Crossing.Halves) return [ValueType.I32, ValueType.I32];
      return ways[index] === Crossing.Number ? [ValueType.F64] : [type];
    });
  return {
    parameters: cross(inner.parameters, crossings.parameters),
    results: cross(inner.results, crossings.results),
  };
}

/** Body of a function of type `inner` that calls the host's function `target`. */
export function outwardBody(inner: FunctionType, crossings: Crossings, target: number): Uint8Array {
  const out = new ByteWriter(64).u32(0);
  inner.parameters.forEach((type, index) => {
    const way = crossings.parameters[index];
    if (way === Crossing.Halves) splitHalves(out, type, index);
    else {
      out.byte(Op.LocalGet).u32(index);
      if (way === Crossing.Number) toNumber(out, type);
    }
  });
  out.byte(Op.Call).u32(target);
  if (crossings.results[0] === Crossing.Number) fromNumber(out, inner.results[0]!);
  return out.byte(Op.End).written;
}

/** Body of a function for the host that calls the module's function `target` of type `inner`. */
export function inwardBody(inner: FunctionType, crossings: Crossings, target: number): Uint8Array {
  const out = new ByteWriter(64).u32(0);
  let local = 0;
  inner.parameters.forEach((type, index) => {
    const way = crossings.parameters[index];
    if (way === Crossing.Halves) {
      joinHalves(out, type, local);
      local += 2;
      return;
    }
    out.byte(Op.LocalGet).u32(local++);
    if (way === Crossing.Number) fromNumber(out, type);
  });
  out.byte(Op.Call).u32(target);
  if (crossings.results[0] === Crossing.Number) toNumber(out, inner.results[0]!);
  return out.byte(Op.End).written;
}

function splitHalves(out: ByteWriter, type: number, local: number): void {
  if (type === ValueType.I32) {
    out.byte(Op.I32Const, 0, Op.LocalGet).u32(local);
    return;
  }
  out.byte(Op.LocalGet).u32(local).byte(Op.I64Const, 32, Op.I64ShrU, Op.I32WrapI64);
  out.byte(Op.LocalGet).u32(local).byte(Op.I32WrapI64);
}

function joinHalves(out: ByteWriter, type: number, local: number): void {
  if (type === ValueType.I32) {
    out.byte(Op.LocalGet).u32(local + 1);
    return;
  }
  out.byte(Op.LocalGet).u32(local).byte(Op.I64ExtendI32U, Op.I64Const, 32, Op.I64Shl);
  out.byte(Op.LocalGet).u32(local + 1).byte(Op.I64ExtendI32U, Op.I64Or);
}

function toNumber(out: ByteWriter, type: number): void {
  out.byte(type === ValueType.I32 ? Op.F64ConvertI32U : Op.F64ConvertI64U);
}

function fromNumber(out: ByteWriter, type: number): void {
  // The saturating form never traps, whatever number the host gives.
  const second = type === ValueType.I32 ? MiscOp.I32TruncSatF64U : MiscOp.I64TruncSatF64U;
  out.byte(Op.PrefixMisc, second);
}
