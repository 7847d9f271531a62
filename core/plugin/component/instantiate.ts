// SPDX-License-Identifier: MIT
// Makes an instance of a prepared component and gives it the form of a core plugin. It finds the
// functions of the ABI and an empty world in place of WASI.

import type { PluginCalls } from "../calls.ts";
import { STACK_POINTER } from "../compile.ts";
import type { StackPointer } from "../caller.ts";
import type { Host } from "../host.ts";
import { makeMemory } from "../instantiate.ts";
import type { Manifest } from "../manifest.ts";
import { preview2 } from "../wasi/preview2.ts";
import type { Surroundings } from "../wasi/surroundings.ts";
import { ADDED_IMPORTS } from "../wasm/rewrite.ts";
import { componentCalls } from "./calls.ts";
import { checkCalls, reopenFault } from "./check_calls.ts";
import { deviceOf } from "./device.ts";
import { Exchange } from "./exchange.ts";
import { fileFunctions } from "./files.ts";
import { hostFunctions } from "./host_functions.ts";
import { networkFunctions } from "./network.ts";
import { INTERFACE, type PreparedComponent, type PreparedModule } from "./prepare.ts";
import { evaluate } from "./program.ts";
import { Request } from "./resources.ts";
import { type CoreFunctions, Services } from "./services.ts";
import { Transfers } from "./transfers.ts";

/** Instantiates `component`. Throws BlockError when that fails. */
export function instantiateComponent(
  manifest: Manifest,
  component: PreparedComponent,
  exchange: WebAssembly.Memory,
  epoch: WebAssembly.Memory,
  host: Host,
  core: WebAssembly.ModuleImports,
  around: Surroundings,
): PluginCalls {
  const services = new Services(host, core as CoreFunctions, new Exchange(exchange));
  services.transfers = new Transfers(services);
  const imports = {
    ...preview2(around),
    [INTERFACE.Files]: fileFunctions(services),
    [INTERFACE.Host]: hostFunctions(services),
    [INTERFACE.Network]: networkFunctions(services),
    [INTERFACE.Requests]: { Request },
    [INTERFACE.Types]: {},
  };
  let stackPointer: StackPointer | null = null;
  const instantiateCore = (module: PreparedModule, given: WebAssembly.Imports) => {
    const added: WebAssembly.ModuleImports = { epoch };
    module.memories.forEach((shape, index) => added[`memory ${index}`] = makeMemory(shape));
    const instance = new WebAssembly.Instance(module.code, { ...given, [ADDED_IMPORTS]: added });
    const found = instance.exports[STACK_POINTER] as StackPointer | undefined;
    if (found !== undefined) stackPointer ??= found;
    return instance;
  };
  const modules = new Map(component.modules.map((module) => [module.name, module]));
  const program = evaluate(component.source);
  const exports = host.control("its start function", () => {
    return program((name) => modules.get(name)!, imports, instantiateCore);
  });
  host.keepStackPointer(stackPointer);
  const device = deviceOf(manifest.name, exports);
  const { calls, implemented } = host.control("implemented", () => {
    return componentCalls(services, device);
  });
  checkCalls(manifest, implemented);
  services.reopenFault = reopenFault(manifest, implemented);
  return calls;
}
