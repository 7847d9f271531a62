// SPDX-License-Identifier: MIT
// Checks what a module imports and exports against ABI v3 and makes the plan for rewriting it.
// Every refusal is one sentence that names the import or export.

import {
  type AbiFunction,
  EXPORT_PREFIX,
  exportCrossings,
  EXPORTS,
  IMPORT_MODULE,
  importCrossings,
  IMPORTS,
  INITIALIZE,
  MANDATORY_EXPORTS,
  SINCE,
  wasmTypes,
} from "./abi.ts";
import { PluginError } from "./errors.ts";
import type { Manifest } from "./manifest.ts";
import { abiMinor } from "./manifest_check.ts";
import { DATA_CALLS, LATER_CALLS, PLAIN_NODE } from "./manifest_node.ts";
import { didYouMean } from "./suggest.ts";
import { quoted } from "./text.ts";
import { isNumberParameter } from "./values.ts";
import { WASI_IMPORTS, WASI_MODULE } from "./wasi/preview1.ts";
import type { Crossings } from "./wasm/boundary.ts";
import { External, EXTERNAL_NAMES, LimitsFlag, typeName } from "./wasm/format.ts";
import type { FunctionType, ModuleShape } from "./wasm/module.ts";
import { type ExportPlan, functionType } from "./wasm/rewrite.ts";

const PROCEDURE: AbiFunction = { parameters: [], results: [] };

/** Index of the memory that is exported as `memory`. Throws PluginError where there is none. */
export function checkMemory(shape: ModuleShape): number {
  const found = shape.exports.find(({ name }) => name === "memory");
  if (!found) throw new PluginError(`it exports no memory called "memory"`);
  if (found.kind !== External.Memory) {
    throw new PluginError(`its export "memory" is a ${EXTERNAL_NAMES[found.kind]}, not a memory`);
  }
  if (shape.memories.some(({ flags }) => flags & LimitsFlag.Shared)) {
    throw new PluginError("its memory is shared; a plugin runs on one thread and may not share it");
  }
  return found.index;
}

/** Throws PluginError where anything but functions is imported, which would shift indices. */
export function checkImportKinds(shape: ModuleShape): void {
  for (const { module, name, kind } of shape.otherImports) {
    throw new PluginError(
      `it imports the ${EXTERNAL_NAMES[kind]} ${quoted(name)} from ${quoted(module)}; ` +
        `a plugin imports functions of "${IMPORT_MODULE}" only`,
    );
  }
}

/** How the imports of a module cross, one for each. Throws PluginError. */
export function checkImports(
  shape: ModuleShape,
  is64: boolean,
  manifest: Manifest,
): Crossings[] {
  return shape.imports.map(({ module, name }, index) => {
    // WASI has pointers of 32 bits only.
    const wasi = module === WASI_MODULE && !is64;
    if (module !== IMPORT_MODULE && !wasi) {
      throw new PluginError(
        `it imports the function ${quoted(name)} from ${quoted(module)}; ` +
          `a plugin imports functions of "${IMPORT_MODULE}"` +
          (is64 ? " only" : ` and "${WASI_MODULE}" only`),
      );
    }
    const functions = wasi ? WASI_IMPORTS : IMPORTS;
    const expected = functions.get(name);
    if (!expected) {
      throw new PluginError(
        `it imports the unknown function ${quoted(name)} from "${module}"` +
          didYouMean(name, functions.keys()),
      );
    }
    if (wasi) {
      checkSignature("import", name, functionType(shape, index), expected, is64);
      return importCrossings(expected);
    }
    checkMinor("imports", name, manifest);
    checkAsked(name, manifest);
    checkWaiting(name, manifest);
    checkSignature("import", name, functionType(shape, index), expected, is64);
    return importCrossings(expected);
  });
}

/** The functions that a plugin exports for the host. Throws PluginError. */
export function checkExports(shape: ModuleShape, is64: boolean, manifest: Manifest): ExportPlan[] {
  const plans = shape.exports
    .filter(({ name }) => name.startsWith(EXPORT_PREFIX) || name === INITIALIZE)
    .map(({ name, kind, index: functionIndex }) => {
      const expected = name === INITIALIZE ? PROCEDURE : EXPORTS.get(name);
      if (!expected) {
        throw new PluginError(
          `it exports the unknown function ${quoted(name)}${didYouMean(name, EXPORTS.keys())}`,
        );
      }
      checkMinor("exports", name, manifest);
      checkZoned(name, manifest);
      if (kind !== External.Function) {
        throw new PluginError(
          `its export ${quoted(name)} is a ${EXTERNAL_NAMES[kind]}, not a function`,
        );
      }
      checkSignature("export", name, functionType(shape, functionIndex), expected, is64);
      return { name, functionIndex, crossings: exportCrossings(expected) };
    });
  const names = new Set(plans.map(({ name }) => name));
  for (const [name, because] of neededExports(shape, names, manifest)) {
    if (names.has(name)) continue;
    const reason = because === "" ? "" : `, which it needs because ${because}`;
    throw new PluginError(`it does not export the function ${quoted(name)}${reason}`);
  }
  checkReopen(shape, names, manifest);
  checkPasses(names, manifest);
  return plans;
}

/** Throws PluginError where a function about zones does not go with what the plugin is. */
function checkZoned(name: string, { kind, threads }: Manifest): void {
  if (!name.startsWith("sb_zone")) return;
  const where = kind === "filter"
    ? "a filter"
    : threads === "blocking"
    ? `a plugin with "threads": "blocking"`
    : "";
  if (where === "") return;
  throw new PluginError(`it exports the function ${quoted(name)}, which ${where} may not`);
}

/** What passes a filter has no function there. */
function checkPasses(names: ReadonlySet<string>, { node = PLAIN_NODE }: Manifest): void {
  const both = LATER_CALLS.find((call) => node.calls[call] === "pass" && names.has(`sb_${call}`));
  if (both === undefined) return;
  throw new PluginError(
    `it exports the function "sb_${both}", but its manifest says that "${both}" is to "pass"`,
  );
}

/** What is opened again must not have been handed to others, as calls that pass a filter are. */
function checkReopen(
  shape: ModuleShape,
  names: ReadonlySet<string>,
  { node = PLAIN_NODE }: Manifest,
): void {
  if (!shape.imports.some(({ name }) => name === "next_reopen")) return;
  const passing = LATER_CALLS.find((call) => node.calls[call] === "pass");
  if (passing !== undefined) {
    throw new PluginError(
      `it imports "next_reopen", but its manifest says that "${passing}" is to "pass"`,
    );
  }
  const missing = DATA_CALLS.map((call) => `sb_${call}`).find((name) => !names.has(name));
  if (missing === undefined) return;
  throw new PluginError(
    `it does not export the function "${missing}", which it needs because it imports "next_reopen"`,
  );
}

const NEEDED_FOR_ZONES = [
  "sb_zones",
  "sb_pwrite",
  "sb_zone_report",
  "sb_zone_append",
  "sb_zone_reset",
];

/** Exports that a plugin must have, each with the reason where not all plugins must. */
function neededExports(
  shape: ModuleShape,
  exported: ReadonlySet<string>,
  manifest: Manifest,
): [string, string][] {
  const { children } = manifest.node ?? PLAIN_NODE;
  const needed: [string, string][] = [];
  // With one child, everything that a filter does not do itself is done by that.
  if (children === null) { for (const name of MANDATORY_EXPORTS) needed.push([name, ""]); }
  else if (children.maximum > 1) {
    for (const name of ["sb_size", "sb_pread"]) needed.push([name, "it has several children"]);
  }
  if (exported.has("sb_place")) needed.push(["sb_pwrite", `it exports "sb_place"`]);
  const zone = [...exported].find((name) => name.startsWith("sb_zone"));
  for (const name of zone === undefined ? [] : NEEDED_FOR_ZONES) {
    needed.push([name, `it exports "${zone}"`]);
  }
  if (shape.imports.some(({ name }) => name === "timer")) {
    needed.push(["sb_done", `it imports "timer"`]);
  }
  for (const parameter of manifest.parameters) {
    const because = `it has the parameter "${parameter.name}"`;
    if (isNumberParameter(parameter.type)) needed.push(["sb_param_int", because]);
    else needed.push(["sb_param_bytes", because]);
  }
  const allocates = reasonToAllocate(shape, exported, needed);
  if (allocates) needed.push(["sb_alloc", allocates], ["sb_free", allocates]);
  return needed;
}

/** Why the host has to put something into the plugin's memory; "" where it never does. */
function reasonToAllocate(
  shape: ModuleShape,
  exported: ReadonlySet<string>,
  needed: [string, string][],
): string {
  for (const name of ["sb_pwrite", "sb_list", "sb_info", "sb_connect", "sb_ioctl"]) {
    if (exported.has(name)) return `it exports ${quoted(name)}`;
  }
  if (shape.imports.some(({ name }) => name === "reply_buffer")) return `it imports "reply_buffer"`;
  return needed.find(([name]) => name === "sb_param_bytes")?.[1] ?? "";
}

/** Throws PluginError where a plugin uses a function of a later minor than it says. */
function checkMinor(verb: string, name: string, { abi, kind }: Manifest): void {
  const minor = SINCE.get(name) ?? 0;
  if (abiMinor(abi) < minor) {
    throw new PluginError(
      `it ${verb} the function ${quoted(name)} of ABI 3.${minor}, but its manifest says ${abi}`,
    );
  }
  if (name.startsWith("next_") && kind !== "filter") {
    throw new PluginError(`it ${verb} the function ${quoted(name)}, which only a filter may call`);
  }
}

/** Functions for requests that are finished later, which are none where calls wait. */
const NOT_WAITING = new Set(["complete", "timer", "cancel", "next_reopen"]);

/** Throws PluginError where a function does not go with how the plugin is called. */
function checkWaiting(name: string, { threads }: Manifest): void {
  if (threads === "blocking" && NOT_WAITING.has(name)) {
    throw new PluginError(
      `it imports the function ${quoted(name)}, which a plugin with "threads": "blocking" may not`,
    );
  }
  if (threads !== "blocking" && name === "sleep") {
    throw new PluginError(
      `it imports the function "sleep", for which its manifest has to say "threads": "blocking"`,
    );
  }
}

/** Which capabilities a function is for; any plugin may import the others. */
function capabilitiesOf(name: string): string[] {
  if (name.startsWith("file_")) return ["read", "write"];
  if (name.startsWith("net_")) return ["net"];
  return name === "clock" || name === "random" ? [name] : [];
}

/** Throws PluginError where a plugin imports what it has not asked to be allowed. */
function checkAsked(name: string, { node = PLAIN_NODE }: Manifest): void {
  const possible = capabilitiesOf(name);
  if (possible.length === 0) return;
  if (node.capabilities.some((asked) => possible.includes(asked.name))) return;
  throw new PluginError(
    `it imports the function ${quoted(name)}, but its manifest asks for no capability ` +
      possible.map(quoted).join(" or "),
  );
}

function checkSignature(
  what: "import" | "export",
  name: string,
  actual: FunctionType,
  abi: AbiFunction,
  is64: boolean,
): void {
  const expected: FunctionType = {
    parameters: wasmTypes(abi.parameters, is64),
    results: wasmTypes(abi.results, is64),
  };
  const [is, must] = [signatureText(actual), signatureText(expected)];
  if (is !== must) {
    throw new PluginError(`its ${what} ${quoted(name)} has the type ${is}; it must be ${must}`);
  }
}

/** `(i32, i64) -> i32`. */
function signatureText({ parameters, results }: FunctionType): string {
  const list = (types: readonly number[]) => types.map(typeName).join(", ");
  const result = results.length === 1 ? list(results) : `(${list(results)})`;
  return `(${list(parameters)}) -> ${result}`;
}
