// SPDX-License-Identifier: MIT
// Says in words what ended a call into a plugin before its time, and where in the plugin it was.

/** Functions of a plugin's stack that are shown. */
const FRAMES_MAX = 8;
const NAME_LENGTH_MAX = 100;

/** What happened, as the rest of a sentence that begins with the plugin: `trapped: unreachable`. */
export function trapText(error: unknown): string {
  if (error instanceof WebAssembly.RuntimeError) return `trapped: ${error.message}`;
  if (isStackOverflow(error)) return "ran out of stack";
  if (isWasmException(error)) return "threw an exception that nothing caught";
  // Anything else is thrown by the host's own functions.
  return `made the host fail: ${error instanceof Error ? error.message : String(error)}`;
}

/** Whether the host itself is to blame, so that the whole stack is worth logging. */
export function isHostFailure(error: unknown): boolean {
  return !(error instanceof WebAssembly.RuntimeError) && !isStackOverflow(error) &&
    !isWasmException(error);
}

/** The functions that a plugin defines, by where they lie in its rewritten module. */
export interface FunctionTable {
  /** Index of the first function that is not imported. */
  first: number;
  /** Where the body of each begins, ascending; `bodiesEnd` is where the last one ends. */
  bodies: Uint32Array;
  bodiesEnd: number;
  /** Names of those that are exported, by index. */
  names: ReadonlyMap<number, string>;
}

/** The plugin's functions at that time, innermost first: `spin < work < sb_pread`; or "". */
export function pluginStack(error: unknown, functions: FunctionTable): string {
  if (!(error instanceof Error) || error.stack === undefined) return "";
  const frames: string[] = [];
  for (const line of error.stack.split("\n")) {
    // `at name (wasm://wasm/module-1a2b:wasm-function[3]:0x4f)`, or without the name. The index in
    // brackets is not to be relied on; the offset is.
    const frame = /^\s*at (?:(.+) \()?wasm:.*:0x([0-9a-f]+)\)?$/.exec(line);
    if (!frame) continue;
    const name = functionName(frame[1], parseInt(frame[2]!, 16), functions);
    if (name !== "") frames.push(name);
  }
  const shown = frames.slice(0, FRAMES_MAX).join(" < ");
  return frames.length > FRAMES_MAX ? `${shown} < ...` : shown;
}

/** The name of the function whose code lies at `offset`; "" for one that the host has added. */
function functionName(
  text: string | undefined,
  offset: number,
  { first, bodies, bodiesEnd, names }: FunctionTable,
): string {
  if (offset >= bodiesEnd) return "";
  // The engine writes `module.function`.
  if (text !== undefined && text !== "<anonymous>") {
    return text.slice(text.lastIndexOf(".") + 1).slice(0, NAME_LENGTH_MAX);
  }
  const after = bodies.findIndex((start) => start > offset);
  const index = first + (after < 0 ? bodies.length : after) - 1;
  return names.get(index) ?? `function ${index}`;
}

/** The type declarations lack WebAssembly.Exception. */
function isWasmException(error: unknown): boolean {
  return Object.prototype.toString.call(error) === "[object WebAssembly.Exception]";
}

function isStackOverflow(error: unknown): boolean {
  return error instanceof RangeError && /call stack/.test(error.message);
}
