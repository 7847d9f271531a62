// SPDX-License-Identifier: MIT
// Writes a manual page in the man(7) macros.

import { VERSION } from "../version.ts";
import type { Block, Page } from "./page.ts";

/** The source of the page, as man(1) formats it. */
export function roff(page: Page): string {
  const title = page.name.toUpperCase().replaceAll("-", "\\-");
  const lines = [
    `.TH ${title} 1 "" "sandblock ${VERSION}" "sandblock manual"`,
    ".SH NAME",
    `${escape(page.name)} \\- ${escape(page.summary)}`,
  ];
  for (const { title, blocks } of page.sections) {
    lines.push(`.SH ${escape(title.toUpperCase())}`);
    for (const block of blocks) lines.push(...blockLines(block));
  }
  return lines.join("\n") + "\n";
}

function blockLines(block: Block): string[] {
  if (typeof block === "string") return [".PP", text(block)];
  if ("heading" in block) return [`.SS ${escape(block.heading)}`];
  if ("code" in block) return [".PP", ".RS 4", ".nf", ...block.code.map(text), ".fi", ".RE"];
  return block.terms.flatMap(({ term, blocks }) => [
    ".TP",
    `\\fB${escape(term)}\\fR`,
    ...blocks.flatMap((paragraph, i) => i === 0 ? [text(paragraph)] : [".IP", text(paragraph)]),
  ]);
}

/** A line of text: one that starts like a request gets a zero-width character in front. */
function text(line: string): string {
  return /^[.']/.test(line) ? `\\&${escape(line)}` : escape(line);
}

/** Backslashes and the characters that roff would turn into typographic ones. */
function escape(line: string): string {
  return line.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("'", "\\(aq")
    .replaceAll("`", "\\(ga").replaceAll("^", "\\(ha").replaceAll("~", "\\(ti");
}
