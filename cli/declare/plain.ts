// SPDX-License-Identifier: MIT
// Writes a manual page as plain text, for a terminal on a system without man(1).

import type { Block, Page } from "./page.ts";
import { fill, HELP_WIDTH } from "./text.ts";

/** The page for reading as it is. */
export function plain(page: Page): string {
  const lines = ["NAME", ...fill(`${page.name} - ${page.summary}`, HELP_WIDTH, 4)];
  for (const { title, blocks } of page.sections) {
    lines.push("", title.toUpperCase());
    lines.push(...blocks.flatMap((block, i) => [...i > 0 ? [""] : [], ...blockLines(block)]));
  }
  return lines.join("\n") + "\n";
}

function blockLines(block: Block): string[] {
  if (typeof block === "string") return fill(block, HELP_WIDTH, 4);
  if ("heading" in block) return [`  ${block.heading}`];
  if ("code" in block) return block.code.map((line) => `        ${line}`);
  return block.terms.flatMap(({ term, blocks }, i) => [
    ...i > 0 ? [""] : [],
    `    ${term}`,
    ...blocks.flatMap((paragraph) => fill(paragraph, HELP_WIDTH, 8)),
  ]);
}
