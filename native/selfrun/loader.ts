// SPDX-License-Identifier: MIT
// How a program gets from its executable into Deno. As a module, Deno would read all of it with a
// parser of its own, in every thread, to look for imports that it has not: longer than V8 takes for
// it. So the module is a few lines that read the program and evaluate it as a script.

/**
 * First line of a program that can be loaded: the one use of `import.meta`. The rest of it neither
 * imports nor exports anything. As a module it finds its assets in files beside it.
 */
export const MODULE_LINE = "const moduleUrl = import.meta.url, assetsAt = null;";

/**
 * The program as a script that gives a function of the module's URL and of where in the executable
 * the assets begin. Lines keep their numbers.
 */
export function asScript(program: string, name: string): string {
  if (!program.startsWith(MODULE_LINE)) {
    throw new SyntaxError(`cannot load the program: it does not begin with "${MODULE_LINE}"`);
  }
  const rest = program.slice(MODULE_LINE.length);
  return `(async (moduleUrl, assetsAt) => { "use strict";${rest}\n})\n//# sourceURL=${name}\n`;
}

/**
 * The module that evaluates the script of `length` bytes at `offset` in this executable, behind which
 * the assets are.
 */
export function loader(offset: number, length: number): string {
  return `const file = Deno.openSync("/proc/self/exe");
file.seekSync(${offset}, Deno.SeekMode.Start);
const bytes = new Uint8Array(${length});
let end = 0;
while (end < bytes.length) {
  const count = file.readSync(bytes.subarray(end));
  if (count === null) throw new Error("cannot read the program in this executable: it is cut short");
  end += count;
}
file.close();
await (0, eval)(new TextDecoder().decode(bytes))(import.meta.url, ${offset + length});
`;
}
