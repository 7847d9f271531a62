// SPDX-License-Identifier: MIT
// Reads what the rewriter needs to know of a module: types, imports, tables, memories, exports, and
// where each function body lies (core specification 5.5). Expects a module that V8 has validated.

import { PluginError } from "../errors.ts";
import { External, LimitsFlag, Section } from "./format.ts";
import { skipExpression } from "./instructions.ts";
import { ByteReader } from "./reader.ts";
import { readSections, type SectionRange } from "./sections.ts";

/** A function type as lists of value types. */
export interface FunctionType {
  parameters: readonly number[];
  results: readonly number[];
}

/** Limits of a memory (in pages) or table (in elements); `flags` are LimitsFlag. */
export interface LimitsOf {
  flags: number;
  minimum: number;
  /** Infinity where there is none. */
  maximum: number;
}

/** An imported function. */
export interface ImportedFunction {
  module: string;
  name: string;
  typeIndex: number;
}

/** An imported thing that is not a function, as `memory "env" "memory"`. */
export interface OtherImport {
  module: string;
  name: string;
  kind: number;
  /** Where its type begins and ends. */
  start: number;
  end: number;
}

/** A table that the module defines. */
export interface TableOf {
  elementType: number;
  limits: LimitsOf;
}

/** A global that the module defines. Where `mutable`, its value changes. */
export interface GlobalOf {
  type: number;
  mutable: boolean;
  /** Where its initial value, an expression, begins and ends. */
  start: number;
  end: number;
}

/** An export. `kind` is one of External. */
export interface ExportOf {
  name: string;
  kind: number;
  index: number;
}

/** The structure of a module. Indices count imports first, as the format does. */
export interface ModuleShape {
  bytes: Uint8Array;
  sections: SectionRange[];
  types: FunctionType[];
  imports: ImportedFunction[];
  otherImports: OtherImport[];
  /** Type indices of the functions that it defines. */
  functions: number[];
  tables: TableOf[];
  memories: LimitsOf[];
  exports: ExportOf[];
  globals: GlobalOf[];
  /** The function that runs when it is instantiated; -1 for none. */
  start: number;
}

/** The structure of the module in `bytes`. Throws PluginError. */
export function readModule(bytes: Uint8Array): ModuleShape {
  const sections = readSections(bytes);
  const shape: ModuleShape = {
    bytes,
    sections,
    types: [],
    imports: [],
    otherImports: [],
    functions: [],
    tables: [],
    memories: [],
    exports: [],
    globals: [],
    start: -1,
  };
  for (const section of sections) {
    const reader = new ByteReader(bytes, section.start, section.end);
    readSection(shape, section.id, reader);
  }
  return shape;
}

function readSection(shape: ModuleShape, id: number, reader: ByteReader): void {
  switch (id) {
    case Section.Type:
      readVector(reader, shape.types, readFunctionType);
      break;
    case Section.Import:
      readImports(shape, reader);
      break;
    case Section.Function:
      readVector(reader, shape.functions, (from) => from.u32());
      break;
    case Section.Table:
      readVector(reader, shape.tables, readTable);
      break;
    case Section.Memory:
      readVector(reader, shape.memories, readLimits);
      break;
    case Section.Global:
      readVector(reader, shape.globals, readGlobal);
      break;
    case Section.Export:
      readVector(reader, shape.exports, readExport);
      break;
    case Section.Start:
      shape.start = reader.u32();
      break;
    default:
      return;
  }
  reader.finish("a section");
}

function readVector<T>(reader: ByteReader, into: T[], read: (reader: ByteReader) => T): void {
  for (let left = reader.count(); left > 0; left--) into.push(read(reader));
}

function readFunctionType(reader: ByteReader): FunctionType {
  const form = reader.byte();
  if (form !== 0x60) {
    throw new PluginError(
      "it declares types other than functions (garbage collection), which sandblock does not know",
    );
  }
  return { parameters: readTypes(reader), results: readTypes(reader) };
}

function readTypes(reader: ByteReader): number[] {
  const types: number[] = [];
  readVector(reader, types, (from) => from.valueType());
  return types;
}

function readImports(shape: ModuleShape, reader: ByteReader): void {
  for (let left = reader.count(); left > 0; left--) {
    const module = reader.name();
    const name = reader.name();
    const kind = reader.byte();
    if (kind === External.Function) {
      shape.imports.push({ module, name, typeIndex: reader.u32() });
      continue;
    }
    const start = reader.at;
    skipImportType(kind, reader);
    shape.otherImports.push({ module, name, kind, start, end: reader.at });
  }
}

function skipImportType(kind: number, reader: ByteReader): void {
  switch (kind) {
    case External.Table:
      reader.valueType();
      readLimits(reader);
      break;
    case External.Memory:
      readLimits(reader);
      break;
    case External.Global:
      reader.valueType();
      reader.byte();
      break;
    case External.Tag:
      reader.byte();
      reader.u32();
      break;
    default:
      throw new PluginError(
        `it imports a thing of the kind ${kind}, which sandblock does not know`,
      );
  }
}

function readLimits(reader: ByteReader): LimitsOf {
  const flags = reader.byte();
  if (flags > (LimitsFlag.Maximum | LimitsFlag.Shared | LimitsFlag.Is64)) {
    throw new PluginError(
      `it declares limits with the flags 0x${flags.toString(16)}, which sandblock does not know`,
    );
  }
  const minimum = reader.u64();
  const maximum = flags & LimitsFlag.Maximum ? reader.u64() : Infinity;
  return { flags, minimum, maximum };
}

function readTable(reader: ByteReader): TableOf {
  if (reader.bytes[reader.at] === 0x40) {
    throw new PluginError("it has a table with an initial value, which sandblock does not know");
  }
  return { elementType: reader.valueType(), limits: readLimits(reader) };
}

function readGlobal(reader: ByteReader): GlobalOf {
  const type = reader.valueType();
  const mutable = reader.byte() === 1;
  const start = reader.at;
  skipExpression(reader);
  return { type, mutable, start, end: reader.at };
}

function readExport(reader: ByteReader): ExportOf {
  return { name: reader.name(), kind: reader.byte(), index: reader.u32() };
}
