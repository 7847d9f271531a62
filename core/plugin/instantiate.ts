// SPDX-License-Identifier: MIT
// Makes an instance of a prepared plugin. Its start function runs here, under the deadline.

import { BlockError, Errno } from "../block/errno.ts";
import { IMPORT_MODULE } from "./abi.ts";
import type { PluginCalls } from "./calls.ts";
import type { StackPointer } from "./caller.ts";
import type { Host } from "./host.ts";
import type { Grants } from "./grants.ts";
import type { MemoryShape } from "./bounds.ts";
import { STACK_POINTER } from "./compile.ts";
import type { PreparedPlugin } from "./prepare.ts";
import { instantiateComponent } from "./component/instantiate.ts";
import { printable } from "./text.ts";
import { preview1, WASI_MODULE } from "./wasi/preview1.ts";
import { Surroundings } from "./wasi/surroundings.ts";
import { ADDED_IMPORTS } from "./wasm/rewrite.ts";

/** Instantiates `prepared`, which finds the functions of the host in `core`. Throws BlockError when its start function or constructors fail. */
export function instantiate(
  prepared: PreparedPlugin,
  memories: readonly WebAssembly.Memory[],
  epoch: WebAssembly.Memory,
  host: Host,
  core: WebAssembly.ModuleImports,
  grants: Grants,
): PluginCalls {
  const around = new Surroundings(grants, (level, text) => {
    host.log(`log ${level}`, level, printable(new TextEncoder().encode(text)));
  });
  const { code } = prepared;
  if (!(code instanceof WebAssembly.Module)) {
    return instantiateComponent(prepared.manifest, code, memories[0]!, epoch, host, core, around);
  }
  const added: Record<string, WebAssembly.Memory> = { epoch };
  memories.forEach((memory, index) => added[`memory ${index}`] = memory);
  const imports = {
    [IMPORT_MODULE]: core,
    [WASI_MODULE]: preview1(host, around),
    [ADDED_IMPORTS]: added,
  };
  const instance = host.control("its start function", () => {
    return new WebAssembly.Instance(code, imports);
  });
  const { [STACK_POINTER]: stackPointer, ...calls } = instance.exports;
  host.keepStackPointer((stackPointer as StackPointer | undefined) ?? null);
  const { _initialize: initialize } = calls as unknown as PluginCalls;
  if (initialize) host.control("_initialize", () => initialize());
  return calls as unknown as PluginCalls;
}

/** One of the memories of a prepared plugin. Throws BlockError where there is not so much. */
export function makeMemory({ initial, maximum, is64 }: MemoryShape): WebAssembly.Memory {
  try {
    if (!is64) return new WebAssembly.Memory({ initial, maximum });
    // The type declarations do not know 64-bit memories yet.
    const descriptor = { initial: BigInt(initial), maximum: BigInt(maximum), address: "i64" };
    return new WebAssembly.Memory(descriptor as unknown as WebAssembly.MemoryDescriptor);
  } catch (error) {
    throw new BlockError(Errno.ENOMEM, `cannot get memory: ${(error as Error).message}`);
  }
}
