// SPDX-License-Identifier: MIT
// Prepares a component to be run within bounds: has jco make JavaScript and core modules of it, and
// does with those modules what is done with a plugin that is one (../prepare.ts). Runs no plugin code.

import {
  checkTables,
  initialBytes,
  limitMemories,
  type MemoryShape,
  memoryShape,
  TABLE_MAX,
} from "../bounds.ts";
import { compileModule, stackPointer } from "../compile.ts";
import { PluginError } from "../errors.ts";
import type { Manifest } from "../manifest.ts";
import type { PreparedPlugin } from "../prepare.ts";
import { oneLine, quoted } from "../text.ts";
import { External, LimitsFlag, PAGE_BYTES } from "../wasm/format.ts";
import { type LimitsOf, type ModuleShape, readModule } from "../wasm/module.ts";
import { rewriteModule } from "../wasm/rewrite.ts";
import { NO_GRANTS } from "../grants.ts";
import { preview2 } from "../wasi/preview2.ts";
import { Surroundings } from "../wasi/surroundings.ts";
import { transpile } from "./bindgen.ts";
import { evaluate } from "./program.ts";

/** A component that can be sent to another thread. */
export interface PreparedComponent {
  /** JavaScript that puts its modules together; see program.ts. */
  source: string;
  modules: PreparedModule[];
}

/** A core module of a component. */
export interface PreparedModule {
  /** What `source` calls it. */
  name: string;
  code: WebAssembly.Module;
  /** Memories that it defines, which the host makes. */
  memories: MemoryShape[];
}

/** The minor version of the package in wasm-plugins/abi/wit. Older ones lack functions, fields and flags only. */
const WIT_MINOR = 2;

/** Interfaces of the ABI, without version. */
export const INTERFACE = {
  Device: "sandblock:plugin/device",
  Files: "sandblock:plugin/files",
  Host: "sandblock:plugin/host",
  Network: "sandblock:plugin/network",
  Requests: "sandblock:plugin/requests",
  Types: "sandblock:plugin/types",
} as const;

/** Memory of the host's through which bytes come to a component and from it. */
const EXCHANGE: MemoryShape = { initial: 16, maximum: 256 * 1024 * 1024 / PAGE_BYTES, is64: false };

/** Prepares the component in `bytes`. Throws PluginError. */
export function prepareComponent(
  manifest: Manifest,
  bytes: Uint8Array,
  memoryMaximum: number,
): PreparedPlugin {
  if (manifest.threads === "blocking") {
    throw new PluginError(
      `its manifest says "threads": "blocking", which only a plugin in the core form may`,
    );
  }
  const { source, files, imports, exports } = transpile(bytes);
  checkImports(imports);
  checkExports(exports);
  const shapes = files.map(({ bytes }) => readModule(bytes));
  for (const shape of shapes) checkModule(shape);
  checkProgram(source);
  const bounded = limitMemories(shapes.flatMap(({ memories }) => memories), memoryMaximum);
  const memoryInitial = initialBytes(bounded);
  const filter = manifest.kind === "filter";
  return {
    manifest,
    code: {
      source,
      modules: files.map(({ name }, index) => {
        const shape = shapes[index]!;
        return prepareModule(name, shape, bounded.splice(0, shape.memories.length));
      }),
    },
    memories: [EXCHANGE],
    memory: 0,
    exports: [],
    // What it may import of it, as jco does not tell what it does.
    imports: filter ? ["next_trim", "next_zero", "next_secure_erase", "next_ioctl"] : [],
    memoryMaximum,
    memoryInitial,
    // Offsets in several modules say nothing; names do, where there are any.
    functions: {
      first: 0,
      bodies: new Uint32Array(),
      bodiesEnd: Infinity,
      names: new Map([[-1, "a function without a name"]]),
    },
  };
}

/** Throws PluginError where jco has made no program of it, so that this is not found out later. */
function checkProgram(source: string): void {
  try {
    evaluate(source);
  } catch (error) {
    throw new PluginError(
      `a component that cannot be adapted: ${oneLine((error as Error).message)}`,
    );
  }
}

function checkImports(imports: readonly string[]): void {
  const known = new Set([
    ...Object.values(INTERFACE),
    ...Object.keys(preview2(new Surroundings(NO_GRANTS, () => {}))),
  ]);
  for (const name of imports) {
    if (known.has(name)) continue;
    throw new PluginError(
      `it imports ${
        quoted(name)
      }; a component imports the interfaces "host", "requests", "files" ` +
        `and "network" of sandblock:plugin and those of WASI 0.2 that runtimes need`,
    );
  }
}

function checkExports(exports: readonly string[]): void {
  const versions = exports.flatMap((name) => {
    const found = /^sandblock:plugin\/device@(\d+)\.(\d+)\./.exec(name);
    return found ? [{ name, major: Number(found[1]), minor: Number(found[2]) }] : [];
  });
  if (versions.some(({ major, minor }) => major === 3 && minor <= WIT_MINOR)) return;
  const [other] = versions;
  throw new PluginError(
    other
      ? `it exports ${quoted(other.name)}; this sandblock has the version 3.${WIT_MINOR}.0`
      : `it exports no interface "${INTERFACE.Device}@3.${WIT_MINOR}.0"`,
  );
}

/** Names become part of JavaScript, where they must stay names. */
const SAFE_NAME = /^[\x20-\x7e]*$/;
const UNSAFE_CHARACTERS = /['"`\\]/;

function checkModule(shape: ModuleShape): void {
  const names = [...shape.imports, ...shape.otherImports].flatMap(({ module, name }) => {
    return [module, name];
  });
  for (const name of [...names, ...shape.exports.map(({ name }) => name)]) {
    if (SAFE_NAME.test(name) && !UNSAFE_CHARACTERS.test(name)) continue;
    throw new PluginError(
      `one of its modules imports or exports something called ${quoted(name)}; ` +
        `names may have no quotes, backslashes or characters other than ASCII`,
    );
  }
  checkTables(shape.tables);
  if (shape.memories.some(({ flags }) => flags & LimitsFlag.Shared)) {
    throw new PluginError("its memory is shared; a plugin runs on one thread and may not share it");
  }
}

function prepareModule(name: string, shape: ModuleShape, memories: LimitsOf[]): PreparedModule {
  const asIs = (typeIndex: number) => {
    const { parameters, results } = shape.types[typeIndex]!;
    return { parameters: parameters.map(() => 0), results: results.map(() => 0) };
  };
  const functions = shape.exports.filter(({ kind }) => kind === External.Function);
  const taken = new Set(shape.exports.map(({ name }) => name));
  const { bytes } = rewriteModule(shape, {
    memories,
    tableMaximum: TABLE_MAX,
    imports: shape.imports.map(({ typeIndex }) => asIs(typeIndex)),
    exports: functions.map(({ name, index }) => {
      return { name, functionIndex: index, crossings: { parameters: [], results: [] } };
    }),
    globals: stackPointer(shape).filter(({ name }) => !taken.has(name)),
    others: shape.exports.filter(({ kind }) => kind !== External.Function),
  });
  try {
    return { name, code: compileModule(bytes), memories: memories.map(memoryShape) };
  } catch (error) {
    throw new PluginError(oneLine((error as Error).message));
  }
}
