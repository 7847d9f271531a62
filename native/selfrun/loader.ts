// SPDX-License-Identifier: MIT
// How a program gets from its executable into Deno. As a module, Deno would read all of it with a
// parser of its own, in every thread, to look for imports that it has not: longer than V8 takes for
// it. So the module is a few lines that read the program and evaluate it as a script, together with
// what V8 made of it when the executable was built, which saves most of the rest.

/**
 * First line of a program that can be loaded: the one use of `import.meta`. The rest of it neither
 * imports nor exports anything. As a module it finds its assets in files beside it.
 */
export const MODULE_LINE =
  "const moduleUrl = import.meta.url, assetsAt = null, workerAhead = null;";

/** Lengths in bytes of what lies in the executable one behind the other; the assets follow. */
export interface ProgramLengths {
  script: number;
  /** V8's code caches (`v8::ScriptCompiler::CachedData`) of the main thread and of other threads. */
  mainCache: number;
  workerCache: number;
}

/**
 * The program as a script that gives a function of the module's URL, of where in the executable
 * the assets begin, and of what was started ahead of it. Lines keep their numbers.
 */
export function asScript(program: string): string {
  if (!program.startsWith(MODULE_LINE)) {
    throw new SyntaxError(`cannot load the program: it does not begin with "${MODULE_LINE}"`);
  }
  const rest = program.slice(MODULE_LINE.length);
  return `(async (moduleUrl, assetsAt, workerAhead) => { "use strict";${rest}\n})\n`;
}

/**
 * The module that evaluates the program at `offset` in this executable. `ahead` is an expression for what
 * is to be started first, in the main thread, as that goes on while the program is loaded there.
 */
export function loader(offset: number, lengths: ProgramLengths, ahead: string): string {
  const { script, mainCache, workerCache } = lengths;
  const all = script + mainCache + workerCache;
  return `const isWorker = typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope;
const ahead = isWorker ? null : ${ahead};
const { Script } = await import("node:vm");
const file = Deno.openSync("/proc/self/exe");
file.seekSync(${offset}, Deno.SeekMode.Start);
const bytes = new Uint8Array(${all});
let end = 0;
while (end < bytes.length) {
  const count = file.readSync(bytes.subarray(end));
  if (count === null) throw new Error("cannot read the program in this executable: it is cut short");
  end += count;
}
file.close();
const cache = isWorker ? [${script + mainCache}, ${all}] : [${script}, ${script + mainCache}];
const text = new TextDecoder().decode(bytes.subarray(0, ${script}));
const options = { filename: "sandblock.js", cachedData: bytes.subarray(...cache) };
await new Script(text, options).runInThisContext()(import.meta.url, ${offset + all}, ahead);
`;
}
