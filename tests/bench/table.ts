// SPDX-License-Identifier: MIT
// Tables as text for a terminal and as Markdown for docs/. Cells are strings, already formatted.

/** A table: the first column is aligned to the left, the others to the right. */
export interface Table {
  title: string;
  head: string[];
  body: string[][];
}

function widths(table: Table): number[] {
  return table.head.map((name, column) =>
    Math.max(name.length, ...table.body.map((line) => (line[column] ?? "").length))
  );
}

function padded(line: string[], columns: number[]): string[] {
  return columns.map((width, column) => {
    const cell = line[column] ?? "";
    return column === 0 ? cell.padEnd(width) : cell.padStart(width);
  });
}

/** The table with its columns padded, under its title. */
export function formatText(table: Table): string {
  const columns = widths(table);
  const lines = [table.head, ...table.body].map((line) =>
    padded(line, columns).join("  ").trimEnd()
  );
  return [table.title, "", ...lines, ""].join("\n");
}

/** The table in Markdown (pipes), under its title as a paragraph. */
export function formatMarkdown(table: Table): string {
  const columns = widths(table).map((width) => Math.max(width, 4));
  const rule = columns.map((width, column) =>
    column === 0 ? "-".repeat(width) : "-".repeat(width - 1) + ":"
  );
  const lines = [padded(table.head, columns), rule, ...table.body.map((l) => padded(l, columns))];
  return [`${table.title}:`, "", ...lines.map((line) => `| ${line.join(" | ")} |`), ""].join("\n");
}

/** `rate` per second with a unit of about three digits: `81.2k`, `1.25M`. */
export function formatCount(rate: number): string {
  if (Number.isNaN(rate)) return "-";
  if (rate >= 1e6) return `${(rate / 1e6).toPrecision(3)}M`;
  if (rate >= 1e3) return `${(rate / 1e3).toPrecision(3)}k`;
  return rate.toFixed(0);
}

/** Bytes per second in decimal units: `3.31 GB/s`. */
export function formatBandwidth(bytesPerSecond: number): string {
  if (Number.isNaN(bytesPerSecond)) return "-";
  if (bytesPerSecond >= 1e9) return `${(bytesPerSecond / 1e9).toPrecision(3)} GB/s`;
  return `${(bytesPerSecond / 1e6).toFixed(0)} MB/s`;
}

/** A number with `digits` decimals, or "-" where there is none. */
export function formatNumber(value: number | null | undefined, digits: number): string {
  return value == null || Number.isNaN(value) ? "-" : value.toFixed(digits);
}
