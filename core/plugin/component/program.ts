// SPDX-License-Identifier: MIT
// Runs the JavaScript that jco has made of a component, after mending what it does not do well.

import type { PreparedModule } from "./prepare.ts";

/** What `imports` of the program holds: interfaces by name, each with functions and classes. */
export type ComponentImports = Record<string, Record<string, unknown>>;

/** A function of `source` that makes an instance. */
export type Instantiate = (
  getCoreModule: (name: string) => PreparedModule,
  imports: ComponentImports,
  instantiateCore: (module: PreparedModule, imports: WebAssembly.Imports) => WebAssembly.Instance,
) => Record<string, unknown>;

const BEGINNING = "export function instantiate(";

/** Numbers in the table of a kind of resource, two for each handle that a component holds. */
const HANDLE_TABLE_MAX = 2 * 65536;

/**
 * - The free list of handles is followed at the wrong place when a borrowed one is made.
 * - Nothing bounds how many handles a component keeps.
 */
const MENDED: readonly [string, string][] = [
  ["table[0] = table[free];", "table[0] = table[free << 1];"],
  [
    "    table.push(0);\n",
    `    if (table.length > ${HANDLE_TABLE_MAX}) tooMany(); table.push(0);\n`,
  ],
  [
    "    table.push(scopeId);\n",
    `    if (table.length > ${HANDLE_TABLE_MAX}) tooMany(); table.push(scopeId);\n`,
  ],
];

/** Objects are disposed of by the host, never by a finalizer, which would run at any time. */
class NoFinalizers {
  register(): void {}
  unregister(): void {}
}

/** Evaluates `source`. */
export function evaluate(source: string): Instantiate {
  if (!source.startsWith(BEGINNING)) throw new Error("jco has made a program of an unknown form");
  const text = MENDED.reduce(
    (mended, [wrong, right]) => mended.replaceAll(wrong, right),
    source.replace(/^export /, ""),
  );
  const make = new Function(
    "FinalizationRegistry",
    "tooMany",
    `"use strict"; ${text}; return instantiate;`,
  );
  return make(NoFinalizers, () => {
    throw new WebAssembly.RuntimeError("it holds too many handles");
  });
}
