// SPDX-License-Identifier: MIT
// Reads the functions of a policy module instruction by instruction, and refuses every instruction
// that a policy may not have.

import { PluginError } from "../plugin/errors.ts";
import { BLOCK_EMPTY, Section, ValueType } from "../plugin/wasm/format.ts";
import type { FunctionType, ModuleShape } from "../plugin/wasm/module.ts";
import { ByteReader } from "../plugin/wasm/reader.ts";
import { type Instruction, instructionAt } from "./instructions.ts";

/** Locals that one function may have besides its parameters. */
const LOCALS_MAX = 1000;
/** Nobody writes blocks so deep; the walks over them remember every level. */
const DEPTH_MAX = 1000;

/** Bit of the alignment of a load that says that the index of a memory follows. */
const MEMORY_INDEX_FLAG = 0x40;

/** Why some instructions that a program would often have are missing. */
const REASONS = new Map<number, string>([
  [0x00, "it can trap (unreachable)"],
  [0x03, "it has a loop"],
  [0x11, "it calls through a table"],
  [0x12, "it has a tail call"],
  [0x13, "it has a tail call"],
  [0x3f, "it asks for the size of its memory"],
  [0x40, "it grows its memory"],
]);

/** A function: its type and where its code is. */
export interface Body {
  readonly index: number;
  readonly type: FunctionType;
  /** Types of its own locals, without the parameters. */
  readonly locals: readonly number[];
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** An instruction with what follows it. */
export interface Decoded {
  readonly instruction: Instruction;
  /** Index of a local, global, function or label; else 0. */
  readonly index: number;
  /** A constant; the offset of a load. */
  readonly value: bigint;
  /** Labels of a branch table, the default last. */
  readonly labels: readonly number[];
  /** Type of a block. */
  readonly block: FunctionType | null;
}

/** The functions of a module. Throws PluginError. */
export function bodiesOf(shape: ModuleShape): Body[] {
  const section = shape.sections.find(({ id }) => id === Section.Code);
  if (!section) throw new PluginError("it has no functions");
  const reader = new ByteReader(shape.bytes, section.start, section.end);
  const count = reader.count();
  return Array.from({ length: count }, (_, index) => {
    const length = reader.u32();
    const from = reader.skip(length);
    const body = new ByteReader(shape.bytes, from, from + length);
    const locals: number[] = [];
    for (let groups = body.count(2); groups > 0; groups--) {
      const repeated = body.u32();
      const type = body.valueType();
      if (locals.length + repeated > LOCALS_MAX) {
        throw new PluginError(`its function ${index} has more than ${LOCALS_MAX} locals`);
      }
      for (let i = 0; i < repeated; i++) locals.push(type);
    }
    const type = shape.types[shape.functions[index]!]!;
    for (const one of [...locals, ...type.parameters, ...type.results]) {
      if (one === ValueType.I32 || one === ValueType.I64) continue;
      throw new PluginError(`its function ${index} has values that are no integers`);
    }
    return { index, type, locals, bytes: shape.bytes, start: body.at, end: from + length };
  });
}

/** The instructions of a body in order. Throws PluginError for one that a policy may not have. */
export function* decode(body: Body, types: readonly FunctionType[]): Generator<Decoded> {
  const reader = new ByteReader(body.bytes, body.start, body.end);
  while (!reader.done) yield decodeOne(reader, types, body.index);
}

function decodeOne(reader: ByteReader, types: readonly FunctionType[], where: number): Decoded {
  const opcode = reader.byte();
  const instruction = instructionAt(opcode);
  if (!instruction) {
    const reason = REASONS.get(opcode) ?? `it uses the instruction 0x${opcode.toString(16)}`;
    throw new PluginError(`${reason} in its function ${where}, which a policy may not`);
  }
  let index = 0;
  let value = 0n;
  let labels: number[] = [];
  let block: FunctionType | null = null;
  switch (instruction.immediate) {
    case "block":
      block = blockType(reader, types);
      break;
    case "index":
      index = reader.u32();
      break;
    case "i32":
    case "i64":
      value = signed(reader);
      break;
    case "table":
      labels = Array.from({ length: reader.count() + 1 }, () => reader.u32());
      break;
    case "memory":
      // With the bit for another memory an index would follow, and there is only one memory.
      if (reader.u32() >= MEMORY_INDEX_FLAG) throw new PluginError("it names its memory by index");
      value = BigInt(reader.u32());
      break;
    case "none":
  }
  return { instruction, index, value, labels, block };
}

function blockType(reader: ByteReader, types: readonly FunctionType[]): FunctionType {
  const first = reader.bytes[reader.at]!;
  if (first === BLOCK_EMPTY || first === ValueType.I32 || first === ValueType.I64) {
    reader.byte();
    return { parameters: [], results: first === BLOCK_EMPTY ? [] : [first] };
  }
  const index = signed(reader);
  const type = index >= 0n ? types[Number(index)] : undefined;
  const integers = type && [...type.parameters, ...type.results]
    .every((one) => one === ValueType.I32 || one === ValueType.I64);
  if (!integers) throw new PluginError("it has a block with values that are no integers");
  return type;
}

/** A signed LEB128 integer of up to 64 bits. */
function signed(reader: ByteReader): bigint {
  let value = 0n;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = reader.byte();
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return BigInt.asIntN(Number(shift) + 7, value);
  }
  reader.fail("a number is too long");
}

/** What a function does at most: how many instructions, whom it calls, whether it sets globals. */
export function scanBody(
  body: Body,
  types: readonly FunctionType[],
): { steps: number; callees: number[]; writes: boolean } {
  const callees: number[] = [];
  let [steps, depth, writes] = [0, 1, false];
  for (const { instruction: { name, immediate }, index } of decode(body, types)) {
    steps++;
    if (immediate === "block" && ++depth > DEPTH_MAX) {
      throw new PluginError(`its function ${body.index} has blocks more than ${DEPTH_MAX} deep`);
    }
    if (name === "end") depth--;
    if (name === "call") callees.push(index);
    if (name === "global.set") writes = true;
  }
  return { steps, callees, writes };
}
