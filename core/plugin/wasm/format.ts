// SPDX-License-Identifier: MIT
// Numbers of the WebAssembly binary format that the rewriter names (WebAssembly core specification
// 3.0, chapter 5, "Binary Format").

/** Section identifiers. */
export const Section = {
  Custom: 0,
  Type: 1,
  Import: 2,
  Function: 3,
  Table: 4,
  Memory: 5,
  Global: 6,
  Export: 7,
  Start: 8,
  Element: 9,
  Code: 10,
  Data: 11,
  DataCount: 12,
  Tag: 13,
} as const;

/** The order in which sections with an identifier of their own stand in a module. */
export const SECTION_ORDER: readonly number[] = [
  Section.Type,
  Section.Import,
  Section.Function,
  Section.Table,
  Section.Memory,
  Section.Tag,
  Section.Global,
  Section.Export,
  Section.Start,
  Section.Element,
  Section.DataCount,
  Section.Code,
  Section.Data,
];

/** Value types. Those with a heap type as a second byte (GC) are not among them. */
export const ValueType = {
  I32: 0x7f,
  I64: 0x7e,
  F32: 0x7d,
  F64: 0x7c,
  V128: 0x7b,
  FuncRef: 0x70,
  ExternRef: 0x6f,
  ExnRef: 0x69,
} as const;

const typeNames = new Map<number, string>([
  [ValueType.I32, "i32"],
  [ValueType.I64, "i64"],
  [ValueType.F32, "f32"],
  [ValueType.F64, "f64"],
  [ValueType.V128, "v128"],
  [ValueType.FuncRef, "funcref"],
  [ValueType.ExternRef, "externref"],
  [ValueType.ExnRef, "exnref"],
]);

/** Whether `byte` is a value type that sandblock knows. */
export function isValueType(byte: number): boolean {
  return typeNames.has(byte);
}

/** `i32` and so on, as the text format writes it. */
export function typeName(type: number): string {
  return typeNames.get(type) ?? `type 0x${type.toString(16)}`;
}

/** Kinds of imports and exports. */
export const External = { Function: 0, Table: 1, Memory: 2, Global: 3, Tag: 4 } as const;

/** Names of External, for messages. */
export const EXTERNAL_NAMES = ["function", "table", "memory", "global", "tag"] as const;

/** Bits of the limits of memories and tables. */
export const LimitsFlag = { Maximum: 1, Shared: 2, Is64: 4 } as const;

/** Instructions that the rewriter emits or looks for. */
export const Op = {
  Unreachable: 0x00,
  Block: 0x02,
  Loop: 0x03,
  If: 0x04,
  Try: 0x06,
  End: 0x0b,
  Delegate: 0x18,
  TryTable: 0x1f,
  Call: 0x10,
  CallIndirect: 0x11,
  ReturnCall: 0x12,
  ReturnCallIndirect: 0x13,
  LocalGet: 0x20,
  MemoryGrow: 0x40,
  I32Const: 0x41,
  I64Const: 0x42,
  F32Const: 0x43,
  F64Const: 0x44,
  I32LtS: 0x48,
  I64Or: 0x84,
  I64Shl: 0x86,
  I64ShrU: 0x88,
  I32WrapI64: 0xa7,
  I64ExtendI32U: 0xad,
  F64ConvertI32U: 0xb8,
  F64ConvertI64U: 0xba,
  RefNull: 0xd0,
  RefFunc: 0xd2,
  PrefixMisc: 0xfc,
  PrefixSimd: 0xfd,
  PrefixAtomic: 0xfe,
} as const;

/** Second numbers of instructions that begin with Op.PrefixMisc. */
export const MiscOp = {
  I32TruncSatF64U: 3,
  I64TruncSatF64U: 7,
  MemoryInit: 8,
  DataDrop: 9,
  MemoryCopy: 10,
  MemoryFill: 11,
  TableInit: 12,
  ElemDrop: 13,
  TableCopy: 14,
  TableGrow: 15,
  TableSize: 16,
  TableFill: 17,
} as const;

/** Second number of v128.const. */
export const V128_CONST = 12;
/** Second number of i32.atomic.load. */
export const ATOMIC_I32_LOAD = 0x10;
/** Block type of a block without parameters and results. */
export const BLOCK_EMPTY = 0x40;
/** Bytes of a page of linear memory. */
export const PAGE_BYTES = 65536;
