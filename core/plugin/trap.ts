// SPDX-License-Identifier: MIT
// Says in words what ended a call into a plugin before its time, and where in the plugin it was.

/** Functions of a plugin's stack that are shown. */
const FRAMES_MAX = 8;

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

/** The plugin's functions at that time, innermost first: `spin < work < sb_pread`; or "". */
export function pluginStack(error: unknown): string {
  if (!(error instanceof Error) || error.stack === undefined) return "";
  const frames: string[] = [];
  for (const line of error.stack.split("\n")) {
    // `at name (wasm://wasm/module-1a2b:wasm-function[3]:0x4f)`, or without the name.
    const frame = /^\s*at (?:(.+) \()?wasm:.*wasm-function\[(\d+)\]:0x[0-9a-f]+\)?$/.exec(line);
    if (!frame) continue;
    frames.push(functionName(frame[1]) ?? `function ${frame[2]}`);
  }
  const shown = frames.slice(0, FRAMES_MAX).join(" < ");
  return frames.length > FRAMES_MAX ? `${shown} < ...` : shown;
}

/** The engine writes `module.function`. */
function functionName(text: string | undefined): string | undefined {
  if (text === undefined || text === "<anonymous>") return undefined;
  return text.slice(text.lastIndexOf(".") + 1).slice(0, 100);
}

/** The type declarations lack WebAssembly.Exception. */
function isWasmException(error: unknown): boolean {
  return Object.prototype.toString.call(error) === "[object WebAssembly.Exception]";
}

function isStackOverflow(error: unknown): boolean {
  return error instanceof RangeError && /call stack/.test(error.message);
}
