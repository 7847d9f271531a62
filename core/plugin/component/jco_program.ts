// SPDX-License-Identifier: MIT
// Evaluates one of jco's own programs: JavaScript that runs a component which jco is itself (its
// generator of bindings, its tools). As published it imports WASI from Node and reads its modules as
// it starts; here it gets an empty world and modules that are there already, so nothing is awaited.

import { NO_GRANTS } from "../grants.ts";
import { preview2 } from "../wasi/preview2.ts";
import { Surroundings } from "../wasi/surroundings.ts";

/** What jco's programs import WASI from. */
const IMPORT_LINE = /^import \{([^}]*)\} from '@bytecodealliance\/preview2-shim\/(\w+)';$/gm;
const FETCH = /fetchCompile\(new URL\('\.\/([^']*)', import\.meta\.url\)\)/g;
const INSTANTIATE = "const instantiateCore = WebAssembly.instantiate;";
const BASE64_COMPILE = "const base64Compile = str => WebAssembly.compile(";
const EXPORTS = /^export \{ ([\w, ]*?),? *\}/gm;

/** A file of a program by its name. */
export type FileOf = (name: string) => Uint8Array<ArrayBuffer>;

/** The exports of the program in `source`. Throws Error where it is not of the form that is known. */
export function runJcoProgram<T>(source: string, file: FileOf): T {
  const script = replaced(source, [
    [
      IMPORT_LINE,
      (_, names, module) => `const {${names.replaceAll(" as ", ": ")}} = wasi.${module};`,
    ],
    [FETCH, (_, name) => `compile(file("${name}"))`],
    [INSTANTIATE, () => "const instantiateCore = instantiate;"],
    [BASE64_COMPILE, () => "const base64Compile = str => compile("],
    ["export const $init =", () => "const $init ="],
    [EXPORTS, (_, names) => `return { ${names} }`],
  ]);
  const run = new Function("wasi", "file", "compile", "instantiate", `"use strict";${script}`);
  return run(
    shimModules(),
    file,
    (bytes: Uint8Array<ArrayBuffer>) => new WebAssembly.Module(bytes),
    (module: WebAssembly.Module, imports?: WebAssembly.Imports) => {
      return new WebAssembly.Instance(module, imports);
    },
  );
}

type Replacement = [string | RegExp, (...found: string[]) => string];

function replaced(source: string, replacements: Replacement[]): string {
  return replacements.reduce((text, [pattern, by]) => {
    const next = text.replace(pattern, by);
    if (next === text) throw new Error(`cannot evaluate jco: "${pattern}" is not in its program`);
    return next;
  }, source);
}

/** The empty world under the names that preview2-shim has for its parts. */
function shimModules(): Record<string, Record<string, unknown>> {
  const world = preview2(new Surroundings(NO_GRANTS, () => {}));
  const modules: Record<string, Record<string, unknown>> = {};
  for (const [name, content] of Object.entries(world)) {
    const [, module, part] = /^wasi:([a-z]+)\/([a-z-]+)$/.exec(name)!;
    const key = part!.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
    (modules[module!] ??= {})[key] = content;
  }
  return modules;
}
