// SPDX-License-Identifier: MIT
// Splits a WebAssembly module into its sections (core specification 5.5, "Modules"), without
// looking into them, and puts custom sections in; for the latter, a component will do as well.

import { PluginError } from "../errors.ts";
import { Section, SECTION_ORDER } from "./format.ts";
import { ByteReader } from "./reader.ts";
import { ByteWriter } from "./writer.ts";

/** Largest module that is read at all. */
export const MODULE_BYTES_MAX = 64 * 1024 * 1024;

const HEADER = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const COMPONENT_VERSION = [0x0d, 0x00, 0x01, 0x00];

/** A section: `start` to `end` is its content, after the name in a custom section. */
export interface SectionRange {
  id: number;
  /** Name of a custom section; empty in others. */
  name: string;
  /** Where the section begins with its identifier. */
  from: number;
  start: number;
  end: number;
}

/** Whether `bytes` is a component and not a module, by its header. */
export function isComponent(bytes: Uint8Array): boolean {
  return begins(bytes, HEADER.slice(0, 4), 0) && begins(bytes, COMPONENT_VERSION, 4);
}

/** The sections of a module in order. Throws PluginError when `bytes` is not a module. */
export function readSections(bytes: Uint8Array): SectionRange[] {
  checkHeader(bytes);
  if (isComponent(bytes)) {
    throw new PluginError("a WebAssembly component where a core module is expected");
  }
  const reader = new ByteReader(bytes, HEADER.length);
  const sections: SectionRange[] = [];
  let lastRank = -1;
  while (!reader.done) {
    const from = reader.at;
    const id = reader.byte();
    const length = reader.u32();
    const start = reader.skip(length);
    const end = start + length;
    if (id === Section.Custom) {
      const content = new ByteReader(bytes, start, end);
      const name = content.name();
      sections.push({ id, name, from, start: content.at, end });
      continue;
    }
    const rank = SECTION_ORDER.indexOf(id);
    if (rank < 0) {
      throw new PluginError(`it has a section of the kind ${id}, which sandblock does not know`);
    }
    if (rank <= lastRank) reader.fail("a section is repeated or out of order");
    lastRank = rank;
    sections.push({ id, name: "", from, start, end });
  }
  return sections;
}

/** The custom sections of a module or component. Throws PluginError when `bytes` is neither. */
export function readCustomSections(bytes: Uint8Array): SectionRange[] {
  return topLevel(bytes).filter(({ id }) => id === Section.Custom);
}

/** Sections of a component may repeat and have other identifiers; those of custom ones are the same. */
function topLevel(bytes: Uint8Array): SectionRange[] {
  if (!isComponent(bytes)) return readSections(bytes);
  checkHeader(bytes);
  const reader = new ByteReader(bytes, HEADER.length);
  const sections: SectionRange[] = [];
  while (!reader.done) {
    const from = reader.at;
    const id = reader.byte();
    const length = reader.u32();
    const start = reader.skip(length);
    const end = start + length;
    const content = new ByteReader(bytes, start, end);
    const name = id === Section.Custom ? content.name() : "";
    sections.push({ id, name, from, start: content.at, end });
  }
  return sections;
}

/** A copy of the module or component with `content` as the only custom section called `name`. */
export function withCustomSection(
  bytes: Uint8Array,
  name: string,
  content: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter(bytes.length + content.length + name.length + 16);
  const sections = topLevel(bytes);
  out.raw(bytes.subarray(0, HEADER.length));
  for (const section of sections) {
    if (section.id === Section.Custom && section.name === name) continue;
    out.raw(bytes.subarray(section.from, section.end));
  }
  out.section(Section.Custom, new ByteWriter(64).name(name).raw(content).written);
  return out.written.slice();
}

/** A writer that begins with the magic number and version of a module. */
export function startModule(capacity: number): ByteWriter {
  return new ByteWriter(capacity).byte(...HEADER);
}

function begins(bytes: Uint8Array, expected: readonly number[], from: number): boolean {
  return expected.every((byte, index) => bytes[from + index] === byte);
}

function checkHeader(bytes: Uint8Array): void {
  if (!begins(bytes, HEADER.slice(0, 4), 0)) throw new PluginError("not a WebAssembly module");
  if (!isComponent(bytes) && !begins(bytes, HEADER.slice(4), 4)) {
    throw new PluginError("not a WebAssembly module of binary version 1");
  }
  if (bytes.length > MODULE_BYTES_MAX) {
    throw new PluginError(`${bytes.length} bytes long; a plugin may have ${MODULE_BYTES_MAX}`);
  }
}
