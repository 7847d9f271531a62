// SPDX-License-Identifier: MIT
// Finds globals by the name that a compiler gave them (name section, subsection 7 of the extended
// name section proposal). Names are a help, so a section that is damaged just has none.

import { PluginError } from "../errors.ts";
import { Section } from "./format.ts";
import type { ModuleShape } from "./module.ts";
import { ByteReader } from "./reader.ts";

const GLOBAL_NAMES = 7;

/** Index of the first global called one of `names`; -1 where there is none. */
export function globalByName(shape: ModuleShape, names: readonly string[]): number {
  const section = shape.sections.find(({ id, name }) => id === Section.Custom && name === "name");
  if (!section) return -1;
  try {
    const reader = new ByteReader(shape.bytes, section.start, section.end);
    while (!reader.done) {
      const id = reader.byte();
      const length = reader.u32();
      const start = reader.skip(length);
      if (id !== GLOBAL_NAMES) continue;
      return search(new ByteReader(shape.bytes, start, reader.at), names);
    }
  } catch (error) {
    if (!(error instanceof PluginError)) throw error;
  }
  return -1;
}

function search(reader: ByteReader, names: readonly string[]): number {
  for (let left = reader.count(2); left > 0; left--) {
    const index = reader.u32();
    if (names.includes(reader.name())) return index;
  }
  return -1;
}
