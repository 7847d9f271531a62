// SPDX-License-Identifier: MIT
// Leaves of a component what jco looks at. It validates and copies all code, which takes seconds for
// an engine of ten megabytes, and knows fewer instructions than V8 does. So it gets modules with the
// same types, imports and exports, whose functions are empty, and the real ones take their place after.

import { PluginError } from "../errors.ts";
import { Op, Section, V128_CONST, ValueType } from "../wasm/format.ts";
import { type ModuleShape, readModule } from "../wasm/module.ts";
import { ByteReader } from "../wasm/reader.ts";
import { startModule } from "../wasm/sections.ts";
import { ByteWriter } from "../wasm/writer.ts";

/** Sections of a component that contain modules and components (component model, "Binary Format"). */
const CORE_MODULE = 1;
const COMPONENT = 4;
const CUSTOM = 0;

const HEADER_BYTES = 8;
/** Components within components. */
const DEPTH_MAX = 16;
const MODULES_MAX = 64;
/** Name of the custom section that says which module a skeleton is of. */
const MARK = "sandblock.module";

/** A component without code, and the modules that it is about. */
export interface Skeleton {
  component: Uint8Array<ArrayBuffer>;
  modules: Uint8Array<ArrayBuffer>[];
}

/** The skeleton of the component in `bytes`. Throws PluginError where a module is none. */
export function skeletonOf(bytes: Uint8Array): Skeleton {
  const modules: Uint8Array<ArrayBuffer>[] = [];
  const component = new ByteWriter(65536);
  copyComponent(bytes, component, modules, 0);
  return { component: component.written.slice(), modules };
}

/** Which of `modules` the module in `bytes`, which has come through jco, stands for. */
export function originalOf(
  bytes: Uint8Array<ArrayBuffer>,
  modules: readonly Uint8Array<ArrayBuffer>[],
): Uint8Array<ArrayBuffer> {
  const section = readModule(bytes).sections.find(({ name }) => name === MARK);
  // jco makes small modules of its own, which are as they should be.
  if (section === undefined) return bytes;
  return modules[new ByteReader(bytes, section.start, section.end).u32()]!;
}

function copyComponent(
  bytes: Uint8Array,
  out: ByteWriter,
  modules: Uint8Array<ArrayBuffer>[],
  depth: number,
): void {
  if (depth > DEPTH_MAX) throw new PluginError("it has components within components without end");
  out.raw(bytes.subarray(0, HEADER_BYTES));
  const reader = new ByteReader(bytes, HEADER_BYTES);
  while (!reader.done) {
    const id = reader.byte();
    const length = reader.u32();
    const start = reader.skip(length);
    const content = bytes.subarray(start, start + length);
    if (id === CORE_MODULE) {
      if (modules.length === MODULES_MAX) {
        throw new PluginError(`it has more than ${MODULES_MAX} modules`);
      }
      const module = new Uint8Array(content);
      out.section(id, skeletonModule(module, modules.length));
      modules.push(module);
    } else if (id === COMPONENT) {
      const inner = new ByteWriter(4096);
      copyComponent(content, inner, modules, depth + 1);
      out.section(id, inner.written);
    } else if (id !== CUSTOM) out.section(id, content);
  }
}

/** Sections that stay as they are, and those that are made anew, in order. */
const KEPT = [
  Section.Type,
  Section.Import,
  Section.Function,
  Section.Table,
  Section.Memory,
  Section.Tag,
  Section.Global,
  Section.Export,
];
const EMPTY_BODY = Uint8Array.of(0, Op.Unreachable, Op.End);

function skeletonModule(bytes: Uint8Array<ArrayBuffer>, index: number): Uint8Array {
  // The engine checks it, so that what reads it further need not.
  if (!WebAssembly.validate(bytes)) {
    throw new PluginError("one of its modules is not a valid WebAssembly module");
  }
  const shape = readModule(bytes);
  const out = startModule(4096);
  for (const id of KEPT) {
    const section = shape.sections.find((one) => one.id === id);
    if (section === undefined) continue;
    const content = bytes.subarray(section.start, section.end);
    out.section(id, id === Section.Global ? globalsOf(shape) : content);
  }
  if (shape.functions.length > 0) {
    const code = new ByteWriter(4096).u32(shape.functions.length);
    for (let left = shape.functions.length; left > 0; left--) code.sized(EMPTY_BODY);
    out.section(Section.Code, code.written);
  }
  out.section(Section.Custom, new ByteWriter(64).name(MARK).u32(index).written);
  return out.written;
}

/** The globals with any initial value. */
function globalsOf({ globals }: ModuleShape): Uint8Array {
  const out = new ByteWriter(1024).u32(globals.length);
  for (const { type, mutable } of globals) {
    out.byte(type, mutable ? 1 : 0).raw(zeroOf(type)).byte(Op.End);
  }
  return out.written;
}

const CONSTANTS: ReadonlyMap<number, Uint8Array> = new Map([
  [ValueType.I32, Uint8Array.of(Op.I32Const, 0)],
  [ValueType.I64, Uint8Array.of(Op.I64Const, 0)],
  [ValueType.F32, Uint8Array.of(Op.F32Const, 0, 0, 0, 0)],
  [ValueType.F64, Uint8Array.of(Op.F64Const, 0, 0, 0, 0, 0, 0, 0, 0)],
  [ValueType.V128, Uint8Array.of(Op.PrefixSimd, V128_CONST, ...new Uint8Array(16))],
]);

function zeroOf(type: number): Uint8Array {
  // All others are types of references, which are written like heap types.
  return CONSTANTS.get(type) ?? Uint8Array.of(Op.RefNull, type);
}
