// SPDX-License-Identifier: MIT
// Plain text layout for help: filled paragraphs and two-column lists.

/** Width that help is laid out for. */
export const HELP_WIDTH = 80;

/** Breaks `text` at spaces into lines of at most `width` characters, each after `indent` spaces. */
export function fill(text: string, width: number, indent = 0): string[] {
  const margin = " ".repeat(indent);
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && indent + line.length + 1 + word.length > width) {
      lines.push(margin + line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, margin + line];
}

/** Rows of a term and its explanation; the second column starts at `column` or on the next line. */
export function columns(rows: readonly (readonly [string, string])[], column: number): string[] {
  return rows.flatMap(([term, text]) => {
    const lines = fill(text, HELP_WIDTH, column);
    const head = `  ${term}`;
    if (head.length + 2 > column) return [head, ...lines];
    return [head.padEnd(column) + lines[0]!.slice(column), ...lines.slice(1)];
  });
}

/** The first lines of help: `Usage:` and a synopsis, which goes on below itself. */
export function usageLines(synopsis: string, label = "Usage: "): string[] {
  const [first, ...rest] = fill(synopsis, HELP_WIDTH, label.length);
  return [label + first!.trimStart(), ...rest];
}
