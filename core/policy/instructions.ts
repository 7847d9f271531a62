// SPDX-License-Identifier: MIT
// The WebAssembly instructions that a policy may consist of, and their types (core specification 3.0,
// chapter 5.4): integers, locals, globals, blocks, calls, loads. There is no loop among them.

/** What follows the opcode: nothing, a block type, indices, a constant, a branch table, an address. */
export type Immediate = "none" | "block" | "index" | "i32" | "i64" | "table" | "memory";

/** One instruction. */
export interface Instruction {
  readonly opcode: number;
  readonly name: string;
  readonly immediate: Immediate;
  /** Types that it takes and gives, a letter each: `i` i32, `l` i64. Of others than `plain` empty. */
  readonly takes: string;
  readonly gives: string;
  /** Whether it does nothing but turn what it takes into what it gives. */
  readonly plain: boolean;
}

const byOpcode = new Map<number, Instruction>();
const byName = new Map<string, Instruction>();

function add(opcode: number, name: string, immediate: Immediate, takes = "", gives = ""): void {
  const plain = gives !== "";
  const instruction = { opcode, name, immediate, takes, gives, plain };
  byOpcode.set(opcode, instruction);
  byName.set(name, instruction);
}

function addRow(first: number, names: string, takes: string, gives: string): void {
  for (const [index, name] of names.split(" ").entries()) {
    add(first + index, name, "none", takes, gives);
  }
}

add(0x01, "nop", "none");
add(0x02, "block", "block");
add(0x04, "if", "block");
add(0x05, "else", "none");
add(0x0b, "end", "none");
add(0x0c, "br", "index");
add(0x0d, "br_if", "index");
add(0x0e, "br_table", "table");
add(0x0f, "return", "none");
add(0x10, "call", "index");
add(0x1a, "drop", "none");
add(0x1b, "select", "none");
add(0x20, "local.get", "index");
add(0x21, "local.set", "index");
add(0x22, "local.tee", "index");
add(0x23, "global.get", "index");
add(0x24, "global.set", "index");
for (
  const [opcode, name, gives] of [
    [0x28, "i32.load", "i"],
    [0x29, "i64.load", "l"],
    [0x2c, "i32.load8_s", "i"],
    [0x2d, "i32.load8_u", "i"],
    [0x2e, "i32.load16_s", "i"],
    [0x2f, "i32.load16_u", "i"],
    [0x30, "i64.load8_s", "l"],
    [0x31, "i64.load8_u", "l"],
    [0x32, "i64.load16_s", "l"],
    [0x33, "i64.load16_u", "l"],
    [0x34, "i64.load32_s", "l"],
    [0x35, "i64.load32_u", "l"],
  ] as const
) add(opcode, name, "memory", "i", gives);
add(0x41, "i32.const", "i32", "", "i");
add(0x42, "i64.const", "i64", "", "l");
const COMPARE = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u";
const BINARY = "add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr";
const typed = (type: string, names: string) => names.replace(/(^| )/g, `$1${type}.`);
addRow(0x45, "i32.eqz", "i", "i");
addRow(0x46, typed("i32", COMPARE), "ii", "i");
addRow(0x50, "i64.eqz", "l", "i");
addRow(0x51, typed("i64", COMPARE), "ll", "i");
addRow(0x67, typed("i32", "clz ctz popcnt"), "i", "i");
addRow(0x6a, typed("i32", BINARY), "ii", "i");
addRow(0x79, typed("i64", "clz ctz popcnt"), "l", "l");
addRow(0x7c, typed("i64", BINARY), "ll", "l");
addRow(0xa7, "i32.wrap_i64", "l", "i");
addRow(0xac, "i64.extend_i32_s i64.extend_i32_u", "i", "l");
addRow(0xc0, "i32.extend8_s i32.extend16_s", "i", "i");
addRow(0xc2, "i64.extend8_s i64.extend16_s i64.extend32_s", "l", "l");

/** The instruction with this opcode, if a policy may have it. */
export function instructionAt(opcode: number): Instruction | undefined {
  return byOpcode.get(opcode);
}

/** The opcode of an instruction of the table. Throws RangeError for one that is not in it. */
export function opcodeOf(name: string): number {
  const instruction = byName.get(name);
  if (!instruction) throw new RangeError(`No instruction ${name}`);
  return instruction.opcode;
}

/** Bytes that a load reads; its sign does not matter. */
export function loadedBytes(name: string): number {
  const bits = /load(\d*)/.exec(name)![1]! || name.slice(1, 3);
  return Number(bits) / 8;
}
