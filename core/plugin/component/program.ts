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

/**
 * Lists of bytes that a component passes to the host come as copies, each of which is a new buffer that
 * takes longer to make than all the rest of a read. The host's functions use them while they run only.
 */
const COPY = /new Uint8Array\((memory\d+)\.buffer\.slice\((\w+), \2 \+ (\w+) \* 1\)\)/g;
const VIEW = "new Uint8Array($1.buffer, $2, $3)";

/** Objects are disposed of by the host, never by a finalizer, which would run at any time. */
class NoFinalizers {
  register(): void {}
  unregister(): void {}
}

/** Evaluates `source`, which runs nothing of it yet. Throws Error where it is no program. */
export function evaluate(source: string): Instantiate {
  if (!source.startsWith(BEGINNING)) throw new Error("jco has made a program of an unknown form");
  const text = MENDED.reduce(
    (mended, [wrong, right]) => mended.replaceAll(wrong, right),
    source.replace(/^export /, "").replaceAll(COPY, VIEW),
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
