// SPDX-License-Identifier: MIT
// Runs a module as it is and as it is after rewriting, for tests that compare the two.

import { Crossing } from "./boundary.ts";
import { External, LimitsFlag } from "./format.ts";
import { readModule } from "./module.ts";
import { ADDED_IMPORTS, functionType, rewriteModule } from "./rewrite.ts";

/** The functions of an instance. */
export type Functions = Record<string, (...args: unknown[]) => unknown>;

/** An instance of a rewritten module. */
export interface Rewritten {
  functions: Functions;
  memories: WebAssembly.Memory[];
  /** The word that its code looks at; negative makes it trap. */
  epoch: Int32Array;
}

/** An instance of the module as it is. */
export function instantiateAsIs(
  bytes: Uint8Array<ArrayBuffer>,
  imports: WebAssembly.Imports = {},
): Functions {
  return new WebAssembly.Instance(new WebAssembly.Module(bytes), imports).exports as Functions;
}

/** All of the module's functions that are exported, nothing else changed at the boundary. */
export function rewriteAll(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const shape = readModule(bytes);
  const asIs = (types: readonly number[]) => types.map(() => Crossing.Same);
  const { bytes: rewritten } = rewriteModule(shape, {
    memories: shape.memories.map((limits) => {
      return { ...limits, maximum: Math.min(limits.maximum, limits.minimum + 10) };
    }),
    tableMaximum: 100_000,
    imports: shape.imports.map((_, index) => {
      const { parameters, results } = functionType(shape, index);
      return { parameters: asIs(parameters), results: asIs(results) };
    }),
    exports: shape.exports.filter(({ kind }) => kind === External.Function).map((one) => {
      const { parameters, results } = functionType(shape, one.index);
      const crossings = { parameters: asIs(parameters), results: asIs(results) };
      return { name: one.name, functionIndex: one.index, crossings };
    }),
    globals: [],
  });
  return rewritten;
}

/** An instance of what rewriting makes of the module. */
export function instantiateRewritten(
  bytes: Uint8Array,
  imports: WebAssembly.Imports = {},
): Rewritten {
  const memories = readModule(bytes).memories.map(({ flags, minimum, maximum }) => {
    const most = Math.min(maximum, minimum + 10);
    const descriptor = flags & LimitsFlag.Is64
      ? { initial: BigInt(minimum), maximum: BigInt(most), address: "i64" }
      : { initial: minimum, maximum: most };
    return new WebAssembly.Memory(descriptor as WebAssembly.MemoryDescriptor);
  });
  const epoch = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const added: Record<string, WebAssembly.Memory> = { epoch };
  memories.forEach((memory, index) => added[`memory ${index}`] = memory);
  const module = new WebAssembly.Module(rewriteAll(bytes));
  const instance = new WebAssembly.Instance(module, { ...imports, [ADDED_IMPORTS]: added });
  return {
    functions: instance.exports as Functions,
    memories,
    epoch: new Int32Array(epoch.buffer),
  };
}
