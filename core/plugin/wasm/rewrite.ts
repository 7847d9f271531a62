// SPDX-License-Identifier: MIT
// Puts a module together again for running within bounds: memories become imports with a maximum,
// tables get one, code checks the epoch word, functions at the boundary get their stand-ins, and of
// exports only those asked for are left. Indices of functions, globals and memories stay the same;
// what else than functions it imports (core modules of components do) comes before what is added.

import { crossesAsIs, type Crossings, inwardBody, outerType, outwardBody } from "./boundary.ts";
import { type CodeRewrite, epochCheck, rewriteBody, rewriteConstant } from "./code.ts";
import { rewriteElements } from "./elements.ts";
import { External, LimitsFlag, Section, SECTION_ORDER } from "./format.ts";
import type { ExportOf, FunctionType, LimitsOf, ModuleShape } from "./module.ts";
import { ByteReader } from "./reader.ts";
import { startModule } from "./sections.ts";
import { ByteWriter } from "./writer.ts";

/** Module name of the imports that the rewriting adds: `memory 0` and so on, and `epoch`. */
export const ADDED_IMPORTS = "sandblock:host";

/** A function that stays exported. */
export interface ExportPlan {
  name: string;
  functionIndex: number;
  crossings: Crossings;
}

/** What to make of a module. */
export interface RewritePlan {
  /** Limits of its memories, one for each that it defines; they have a maximum. */
  memories: LimitsOf[];
  /** No table may have more elements. */
  tableMaximum: number;
  /** How its imports cross, one for each. */
  imports: Crossings[];
  exports: ExportPlan[];
  /** Globals to export, by name. */
  globals: { name: string; index: number }[];
  /** Exports other than functions that stay as they are. */
  others?: readonly ExportOf[];
}

/** What has become of a module. */
export interface RewrittenModule {
  bytes: Uint8Array<ArrayBuffer>;
  /** Where the body of each function that the module defined itself begins in `bytes`. */
  bodies: Uint32Array;
  /** Where the body of the last of them ends. */
  bodiesEnd: number;
}

/** A function that is added at the end. */
interface AddedFunction {
  typeIndex: number;
  body: Uint8Array;
}

/** The rewritten module. */
export function rewriteModule(shape: ModuleShape, plan: RewritePlan): RewrittenModule {
  return new Rewriter(shape, plan).run();
}

class Rewriter {
  readonly #shape: ModuleShape;
  readonly #plan: RewritePlan;
  readonly #types: FunctionType[];
  readonly #added: AddedFunction[] = [];
  readonly #redirects = new Map<number, number>();
  /** Type index of each import as the host sees it. */
  readonly #importTypes: number[] = [];
  readonly #exports: { name: string; functionIndex: number }[] = [];
  readonly #code: CodeRewrite;
  readonly #bodies: Uint32Array;
  #bodiesEnd = 0;

  constructor(shape: ModuleShape, plan: RewritePlan) {
    this.#shape = shape;
    this.#plan = plan;
    this.#types = [...shape.types];
    this.#code = {
      redirects: this.#redirects,
      check: epochCheck(importedMemories(shape) + shape.memories.length),
      referenced: new Set(),
    };
    this.#bodies = new Uint32Array(shape.functions.length);
  }

  run(): RewrittenModule {
    this.#shape.imports.forEach((_, index) => this.#standInForImport(index));
    for (const one of this.#plan.exports) this.#standInForExport(one);
    // Code comes first because it tells which functions must be declared as referenced.
    const code = this.#codeSection();
    const out = startModule(this.#shape.bytes.length * 2);
    for (const id of SECTION_ORDER) {
      const content = id === Section.Code ? code : this.#section(id);
      if (content !== null) out.section(id, content);
      if (id === Section.Code) this.#placeBodies(out.length - code.length);
    }
    this.#copyNames(out);
    return { bytes: out.written.slice(), bodies: this.#bodies, bodiesEnd: this.#bodiesEnd };
  }

  /** Makes offsets of bodies in the code section, which begins at `start`, offsets in the module. */
  #placeBodies(start: number): void {
    this.#bodies.forEach((at, index) => this.#bodies[index] = start + at);
    this.#bodiesEnd += start;
  }

  #standInForImport(index: number): void {
    const { typeIndex } = this.#shape.imports[index]!;
    const crossings = this.#plan.imports[index]!;
    if (crossesAsIs(crossings)) {
      this.#importTypes.push(typeIndex);
      return;
    }
    const inner = this.#types[typeIndex]!;
    this.#importTypes.push(this.#typeIndex(outerType(inner, crossings)));
    this.#redirects.set(index, this.#add(typeIndex, outwardBody(inner, crossings, index)));
  }

  #standInForExport({ name, functionIndex, crossings }: ExportPlan): void {
    const target = this.#redirects.get(functionIndex) ?? functionIndex;
    if (crossesAsIs(crossings)) {
      this.#exports.push({ name, functionIndex: target });
      return;
    }
    const inner = functionType(this.#shape, functionIndex);
    const typeIndex = this.#typeIndex(outerType(inner, crossings));
    const standIn = this.#add(typeIndex, inwardBody(inner, crossings, target));
    this.#exports.push({ name, functionIndex: standIn });
  }

  /** Adds a function and returns its index. */
  #add(typeIndex: number, body: Uint8Array): number {
    this.#added.push({ typeIndex, body });
    return this.#shape.imports.length + this.#shape.functions.length + this.#added.length - 1;
  }

  #typeIndex(type: FunctionType): number {
    const key = JSON.stringify(type);
    const known = this.#types.findIndex((other) => JSON.stringify(other) === key);
    return known >= 0 ? known : this.#types.push(type) - 1;
  }

  /** Content of the section `id`; null where there is none. */
  #section(id: number): Uint8Array | null {
    switch (id) {
      case Section.Type:
        return this.#typeSection();
      case Section.Import:
        return this.#importSection();
      case Section.Function:
        return this.#functionSection();
      case Section.Table:
        return this.#tableSection();
      case Section.Memory:
        return null;
      case Section.Global:
        return this.#globalSection();
      case Section.Export:
        return this.#exportSection();
      case Section.Start:
        return this.#startSection();
      case Section.Element:
        return rewriteElements(this.#original(id), this.#redirects, this.#code.referenced);
      default:
        return this.#original(id);
    }
  }

  #original(id: number): Uint8Array | null {
    const section = this.#shape.sections.find((one) => one.id === id);
    return section ? this.#shape.bytes.subarray(section.start, section.end) : null;
  }

  #typeSection(): Uint8Array {
    const out = new ByteWriter().u32(this.#types.length);
    for (const { parameters, results } of this.#types) {
      out.byte(0x60).sized(Uint8Array.from(parameters)).sized(Uint8Array.from(results));
    }
    return out.written;
  }

  #importSection(): Uint8Array {
    const { memories } = this.#plan;
    const { imports, otherImports, bytes } = this.#shape;
    const count = imports.length + otherImports.length + memories.length + 1;
    const out = new ByteWriter().u32(count);
    imports.forEach(({ module, name }, index) => {
      out.name(module).name(name).byte(External.Function).u32(this.#importTypes[index]!);
    });
    for (const { module, name, kind, start, end } of otherImports) {
      out.name(module).name(name).byte(kind).raw(bytes.subarray(start, end));
    }
    memories.forEach((limits, index) => {
      out.name(ADDED_IMPORTS).name(`memory ${index}`).byte(External.Memory);
      writeLimits(out, limits);
    });
    out.name(ADDED_IMPORTS).name("epoch").byte(External.Memory);
    writeLimits(out, { flags: LimitsFlag.Shared, minimum: 1, maximum: 1 });
    return out.written;
  }

  #functionSection(): Uint8Array {
    const { functions } = this.#shape;
    const out = new ByteWriter().u32(functions.length + this.#added.length);
    for (const typeIndex of functions) out.u32(typeIndex);
    for (const { typeIndex } of this.#added) out.u32(typeIndex);
    return out.written;
  }

  #tableSection(): Uint8Array | null {
    const { tables } = this.#shape;
    if (tables.length === 0) return null;
    const out = new ByteWriter().u32(tables.length);
    for (const { elementType, limits } of tables) {
      out.byte(elementType);
      const maximum = Math.min(limits.maximum, this.#plan.tableMaximum);
      writeLimits(out, { ...limits, maximum });
    }
    return out.written;
  }

  #globalSection(): Uint8Array | null {
    const { globals, bytes } = this.#shape;
    if (globals.length === 0) return null;
    const out = new ByteWriter().u32(globals.length);
    for (const { type, mutable, start, end } of globals) {
      out.byte(type, mutable ? 1 : 0);
      rewriteConstant(new ByteReader(bytes, start, end), this.#redirects, out);
    }
    return out.written;
  }

  #exportSection(): Uint8Array {
    const { globals, others = [] } = this.#plan;
    const out = new ByteWriter().u32(this.#exports.length + globals.length + others.length);
    for (const { name, functionIndex } of this.#exports) {
      out.name(name).byte(External.Function).u32(functionIndex);
    }
    for (const { name, index } of globals) out.name(name).byte(External.Global).u32(index);
    for (const { name, kind, index } of others) out.name(name).byte(kind).u32(index);
    return out.written;
  }

  #startSection(): Uint8Array | null {
    const { start } = this.#shape;
    if (start < 0) return null;
    return new ByteWriter().u32(this.#redirects.get(start) ?? start).written;
  }

  #codeSection(): Uint8Array {
    const { sections, bytes, functions } = this.#shape;
    const out = new ByteWriter(bytes.length * 2).u32(functions.length + this.#added.length);
    const section = sections.find((one) => one.id === Section.Code);
    if (section) {
      const body = new ByteWriter(4096);
      const reader = new ByteReader(bytes, section.start, section.end);
      const count = reader.u32();
      for (let index = 0; index < count; index++) {
        const length = reader.u32();
        const start = reader.skip(length);
        body.length = 0;
        rewriteBody(bytes, start, reader.at, this.#code, body);
        out.sized(body.written);
        this.#bodies[index] = out.length - body.length;
      }
    }
    this.#bodiesEnd = out.length;
    for (const { body } of this.#added) out.sized(body);
    return out.written;
  }

  /** Names of functions, which stack traces show. They stay true, since indices do not change. */
  #copyNames(out: ByteWriter): void {
    for (const { id, name, from, end } of this.#shape.sections) {
      if (id === Section.Custom && name === "name") out.raw(this.#shape.bytes.subarray(from, end));
    }
  }
}

/** The type of a function by its index. */
export function functionType(shape: ModuleShape, index: number): FunctionType {
  const imported = shape.imports.length;
  const typeIndex = index < imported
    ? shape.imports[index]!.typeIndex
    : shape.functions[index - imported]!;
  return shape.types[typeIndex]!;
}

/** How many memories come before those that the module defines. */
function importedMemories({ otherImports }: ModuleShape): number {
  return otherImports.filter(({ kind }) => kind === External.Memory).length;
}

function writeLimits(out: ByteWriter, limits: LimitsOf): void {
  out.byte(limits.flags | LimitsFlag.Maximum).u32(limits.minimum).u32(limits.maximum);
}
