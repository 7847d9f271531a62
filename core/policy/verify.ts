// SPDX-License-Identifier: MIT
// Decides whether a module may be a policy (docs/policy.md, "Modules"): it can neither loop nor recurse
// nor read out of its memory nor trap, and how many instructions one call can take is bounded. It
// may refuse what would do no harm, never the other way round.

import { PluginError } from "../plugin/errors.ts";
import { oneLine } from "../plugin/text.ts";
import {
  External,
  EXTERNAL_NAMES,
  LimitsFlag,
  PAGE_BYTES,
  Section,
  ValueType,
} from "../plugin/wasm/format.ts";
import { type FunctionType, type ModuleShape, readModule } from "../plugin/wasm/module.ts";
import { ByteReader } from "../plugin/wasm/reader.ts";
import { bodiesOf, type Body, scanBody } from "./bodies.ts";
import { CHECK, CHECK_TYPE, CLOCK, CLOCK_TYPE } from "./module.ts";
import { verifyValues } from "./verify_values.ts";

/** Largest module in bytes. */
export const POLICY_BYTES_MAX = 1024 * 1024;
/** Pages of memory that a policy may have, for tables. */
const PAGES_MAX = 16;
/** Instructions that one call may take in the worst case. */
export const STEPS_MAX = 250_000;
const FUNCTIONS_MAX = 1000;

/** What is known of a module that was accepted. */
export interface Verified {
  /** Instructions that one check may take at most. */
  steps: number;
  /** It exports `sb_clock`. */
  clock: boolean;
}

/** Accepts the module in `bytes` or throws PluginError with the reason why not. */
export function verifyPolicy(bytes: Uint8Array): Verified {
  if (bytes.length > POLICY_BYTES_MAX) {
    throw new PluginError(`${bytes.length} bytes long; a policy may have ${POLICY_BYTES_MAX}`);
  }
  const own = new Uint8Array(bytes);
  const shape = readModule(own);
  // The engine checks types first, so that nothing below has to.
  if (!WebAssembly.validate(own)) throw new PluginError(whyInvalid(own));
  checkStructure(shape);
  const bodies = bodiesOf(shape);
  const check = exported(shape, CHECK, CHECK_TYPE);
  if (check === null) throw new PluginError(`it does not export "${CHECK}"`);
  const clock = exported(shape, CLOCK, CLOCK_TYPE);
  const calls = bodies.map((body) => scanBody(body, shape.types));
  const steps = calls.map((): number | null => null);
  const worst = stepsOf(check, calls, steps, []);
  if (clock !== null) stepsOf(clock, calls, steps, []);
  // Only what can run has to be safe, but what cannot run has no business here.
  for (const [index, count] of steps.entries()) {
    if (count === null) throw new PluginError(`its function ${index} is never called`);
  }
  checkStateless(check, bodies, calls);
  for (const body of bodies) verifyValues(body, shape);
  return { steps: worst, clock: clock !== null };
}

function whyInvalid(bytes: Uint8Array<ArrayBuffer>): string {
  try {
    new WebAssembly.Module(bytes);
  } catch (error) {
    const fact = (error as Error).message.replace(/^WebAssembly\.[A-Za-z]+\(\): /, "");
    return `not a valid WebAssembly module: ${oneLine(fact)}`;
  }
  return "not a valid WebAssembly module";
}

function checkStructure(shape: ModuleShape): void {
  const { imports, otherImports, functions, tables, memories, globals, start } = shape;
  const [first] = [...imports, ...otherImports];
  if (first) {
    throw new PluginError(`it imports "${first.module}" "${first.name}"; a policy imports nothing`);
  }
  if (start >= 0) throw new PluginError("it has a start function");
  if (tables.length > 0) throw new PluginError("it has a table of functions");
  const odd = shape.sections.find(({ id }) => id === Section.Tag || id === Section.Element);
  if (odd) throw new PluginError(`it has a section of the kind ${odd.id}`);
  if (functions.length > FUNCTIONS_MAX) {
    throw new PluginError(`it has ${functions.length} functions; it may have ${FUNCTIONS_MAX}`);
  }
  if (memories.length > 1) throw new PluginError(`it has ${memories.length} memories`);
  for (const { flags, minimum } of memories) {
    if ((flags & (LimitsFlag.Shared | LimitsFlag.Is64)) !== 0) {
      throw new PluginError("its memory is shared or 64-bit");
    }
    if (minimum > PAGES_MAX) {
      const may = `it may have ${PAGES_MAX * PAGE_BYTES}`;
      throw new PluginError(`it has ${minimum * PAGE_BYTES} bytes of memory; ${may}`);
    }
  }
  for (const global of globals) checkGlobal(shape, global);
}

function checkGlobal(shape: ModuleShape, { type, start, end }: ModuleShape["globals"][number]) {
  const integer = type === ValueType.I32 || type === ValueType.I64;
  const reader = new ByteReader(shape.bytes, start, end);
  const opcode = reader.byte();
  if (integer && (opcode === 0x41 || opcode === 0x42)) return;
  throw new PluginError("it has a global that is not an integer with a constant to begin with");
}

/** The function under a name; null where there is none. */
function exported(shape: ModuleShape, name: string, type: FunctionType): number | null {
  const found = shape.exports.find((one) => one.name === name);
  if (!found) return null;
  if (found.kind !== External.Function) {
    throw new PluginError(`its export "${name}" is a ${EXTERNAL_NAMES[found.kind] ?? "thing"}`);
  }
  const { parameters, results } = shape.types[shape.functions[found.index]!]!;
  const same = (a: readonly number[], b: readonly number[]) => `${a}` === `${b}`;
  if (same(parameters, type.parameters) && same(results, type.results)) return found.index;
  throw new PluginError(
    `its export "${name}" does not take ${type.parameters.length} i32 and give ${
      type.results.length === 1 ? "one" : "nothing"
    }`,
  );
}

/** Instructions that a call of `index` takes at most: all of its own and of what it calls. */
function stepsOf(
  index: number,
  calls: readonly { steps: number; callees: readonly number[] }[],
  known: (number | null)[],
  callers: readonly number[],
): number {
  const found = known[index];
  if (found !== null && found !== undefined) return found;
  if (callers.includes(index)) throw new PluginError(`its function ${index} can call itself`);
  let { steps } = calls[index]!;
  for (const callee of calls[index]!.callees) {
    steps += stepsOf(callee, calls, known, [...callers, index]);
    if (steps > STEPS_MAX) break;
  }
  if (steps > STEPS_MAX) {
    throw new PluginError(`one call could take more than ${STEPS_MAX} instructions`);
  }
  known[index] = steps;
  return steps;
}

/** A check leaves nothing behind: the verdict depends on its arguments and the clock alone. */
function checkStateless(
  check: number,
  bodies: readonly Body[],
  calls: readonly { callees: readonly number[]; writes: boolean }[],
): void {
  const reached = new Set([check]);
  for (const index of reached) for (const callee of calls[index]!.callees) reached.add(callee);
  for (const index of reached) {
    if (!calls[index]!.writes) continue;
    throw new PluginError(`its function ${bodies[index]!.index} changes a global during a check`);
  }
}
