// SPDX-License-Identifier: MIT
// Reads the Markdown of this project's own pages into the blocks of a manual page: headings, paragraphs,
// lists, tables, definitions and code. What is emphasized becomes plain text.

import type { Block, Page, Term } from "./page.ts";

type Section = Page["sections"][number];

/** The sections of a page (`## TITLE`), in their order. What stands before the first one is left out. */
export function markdownSections(text: string): Section[] {
  const parts = withoutFences(text).split(/^## /m).slice(1);
  return parts.map((part) => {
    const end = part.indexOf("\n");
    return { title: part.slice(0, end).trim(), blocks: blocksOf(part.slice(end + 1)) };
  });
}

/** Fenced code as indented code, so that there is one kind. */
function withoutFences(text: string): string {
  return text.replace(
    /^```[a-z]*\n(.*?)\n```$/gms,
    (_, code: string) => code.replace(/^/gm, "    "),
  );
}

function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  for (const piece of text.split(/\n{2,}/)) {
    if (piece.trim() === "") continue;
    const block = blockOf(piece.replace(/^\n+|\n+$/g, ""));
    append(blocks, block);
  }
  return blocks;
}

/** Pieces of one list, or of one piece of code, that blank lines divide belong together. */
function append(blocks: Block[], block: Block): void {
  const last = blocks.at(-1);
  if (typeof last === "object" && typeof block === "object") {
    if ("code" in last && "code" in block) {
      blocks[blocks.length - 1] = { code: [...last.code, "", ...block.code] };
      return;
    }
    if ("terms" in last && "terms" in block) {
      blocks[blocks.length - 1] = { terms: [...last.terms, ...block.terms] };
      return;
    }
  }
  blocks.push(block);
}

function blockOf(piece: string): Block {
  const lines = piece.split("\n");
  if (lines.every((line) => line.startsWith("    ") || line === "")) {
    return { code: lines.map((line) => line.slice(4)) };
  }
  if (piece.startsWith("### ")) return { heading: inline(piece.slice(4)) };
  if (piece.startsWith("|")) return { terms: tableTerms(lines) };
  if (/^(-|\d+\.) /.test(piece)) return { terms: itemTerms(piece) };
  const definition = /^(.+?)\s+: (.*)$/s.exec(piece);
  if (definition !== null && /^(\*\*.*\*\*|(`[^`]+`( \([^)]*\))?\s*)+)$/.test(definition[1]!)) {
    return { terms: [{ term: inline(definition[1]!), blocks: [inline(definition[2]!)] }] };
  }
  return inline(piece);
}

function itemTerms(piece: string): Term[] {
  const items = piece.split(/^(?=(?:-|\d+\.) )/m);
  return items.map((item) => {
    const [, mark, text] = /^(-|\d+\.) (.*)$/s.exec(item)!;
    return { term: mark!, blocks: [inline(text!)] };
  });
}

/** The first cell is the term; the line of headings and the one below it are left out. */
function tableTerms(lines: readonly string[]): Term[] {
  return lines.slice(2).map((line) => {
    const cells = line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => {
      return inline(cell.replaceAll("\\|", "|"));
    });
    const rest = cells.slice(1).filter((cell) => cell !== "");
    return { term: cells[0]!, blocks: rest.length === 0 ? [""] : [rest.join("; ")] };
  });
}

/** Text without marks: what stands in backquotes is kept as it is. */
function inline(text: string): string {
  const parts = text.replace(/\s+/g, " ").trim().split(/(`[^`]*`)/);
  return parts.map((part) => {
    if (part.startsWith("`") && part.length > 1) return part.slice(1, -1);
    return part.replace(/\*\*(.+?)\*\*/g, "$1").replace(
      /(?<![\w*])\*([^*\s][^*]*)\*(?![\w*])/g,
      "$1",
    );
  }).join("").replace(/\[([^\]]*)\]\((https?:[^)\s]*)\)/g, "$1 ($2)")
    .replace(/\[([^\]]*)\]\([^)\s]*\)/g, "$1").replaceAll("**", "");
}
