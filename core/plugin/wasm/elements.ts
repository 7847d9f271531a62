// SPDX-License-Identifier: MIT
// Rewrites element segments, the lists of functions that fill tables, where references to functions
// are redirected (core specification 5.5.12, "Element Section").

import { type Redirects, rewriteConstant } from "./code.ts";
import { ByteReader } from "./reader.ts";
import { ByteWriter } from "./writer.ts";

/** Bits of a segment's kind. */
const PASSIVE_OR_DECLARED = 1;
const TABLE_INDEX_OR_DECLARED = 2;
const EXPRESSIONS = 4;
/** The kind of a segment that only declares functions that code refers to, listed by index. */
const DECLARED = 3;
const ELEMENT_KIND_FUNCTION = 0;

/**
 * Content of the element section for `content` (null: there is none) with `redirects` followed and
 * a segment added that declares `referenced`; null when it would be empty.
 */
export function rewriteElements(
  content: Uint8Array | null,
  redirects: Redirects,
  referenced: ReadonlySet<number>,
): Uint8Array | null {
  const reader = new ByteReader(content ?? new Uint8Array([0]));
  const count = reader.count();
  const declared = referenced.size > 0 ? 1 : 0;
  if (count + declared === 0) return null;
  const out = new ByteWriter(reader.end + 64).u32(count + declared);
  for (let left = count; left > 0; left--) rewriteSegment(reader, redirects, out);
  reader.finish("the element section");
  // Code may only refer to functions that appear outside of code, and exports, where they may have
  // appeared, are not all kept.
  if (declared) {
    out.u32(DECLARED).byte(ELEMENT_KIND_FUNCTION).u32(referenced.size);
    for (const index of referenced) out.u32(index);
  }
  return out.written;
}

function rewriteSegment(reader: ByteReader, redirects: Redirects, out: ByteWriter): void {
  const kind = reader.u32();
  if (kind > 7) reader.fail("an element segment is of an unknown kind");
  out.u32(kind);
  const active = (kind & PASSIVE_OR_DECLARED) === 0;
  if (active && kind & TABLE_INDEX_OR_DECLARED) out.u32(reader.u32());
  if (active) rewriteConstant(reader, redirects, out);
  // Kinds 0 and 4 leave out the type of their elements.
  if (kind & (PASSIVE_OR_DECLARED | TABLE_INDEX_OR_DECLARED)) {
    out.byte(kind & EXPRESSIONS ? reader.valueType() : reader.byte());
  }
  const count = reader.count();
  out.u32(count);
  for (let left = count; left > 0; left--) {
    if (kind & EXPRESSIONS) rewriteConstant(reader, redirects, out);
    else rewriteIndex(reader, redirects, out);
  }
}

function rewriteIndex(reader: ByteReader, redirects: Redirects, out: ByteWriter): void {
  const index = reader.u32();
  out.u32(redirects.get(index) ?? index);
}
