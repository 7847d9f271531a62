// SPDX-License-Identifier: MIT
// Lists the instructions of a policy module, blocks indented, as the text format writes them.

import { readModule } from "../plugin/wasm/module.ts";
import { bodiesOf, decode, type Decoded } from "./bodies.ts";

/** A line for each instruction of a module that was accepted. */
export function listInstructions(bytes: Uint8Array): string[] {
  const shape = readModule(bytes);
  const lines: string[] = [];
  for (const body of bodiesOf(shape)) {
    const names = shape.exports.filter(({ kind, index }) => kind === 0 && index === body.index)
      .map(({ name }) => name);
    lines.push("", `function ${body.index}${names.length > 0 ? ` ${names.join(" ")}` : ""}:`);
    let depth = 1;
    for (const decoded of decode(body, shape.types)) {
      const { name, immediate } = decoded.instruction;
      if (name === "end" || name === "else") depth--;
      lines.push(`${"  ".repeat(Math.min(depth, 40) + 1)}${instructionText(decoded)}`);
      if (immediate === "block" || name === "else") depth++;
    }
  }
  return lines;
}

function instructionText({ instruction, index, value, labels, block }: Decoded): string {
  const { name, immediate } = instruction;
  switch (immediate) {
    case "block":
      return block!.results.length > 0 ? `${name} (result)` : name;
    case "index":
      return `${name} ${index}`;
    case "i32":
    case "i64":
      return `${name} ${value}`;
    case "table":
      return `${name} ${labels.join(" ")}`;
    case "memory":
      return value === 0n ? name : `${name} offset=${value}`;
    case "none":
      return name;
  }
}
