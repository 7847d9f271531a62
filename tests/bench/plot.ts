// SPDX-License-Identifier: MIT
// Draws a result as SVG: for every row the speed of each server relative to sandblock, which is the
// line at 1; left of it is slower. Logarithmic, because ratios are.
//
//   deno run -A tests/bench/plot.ts RESULT.json PLOT.svg

import { type BenchResult, ratioOf, type RowResult } from "./result.ts";
import { MEDIA } from "./rows.ts";
import { describeRow, formatRate, nameServers, subjectOf } from "./summary.ts";
import { element, svgDocument, text } from "./svg.ts";

const WIDTH = 960;
const LABEL_WIDTH = 240;
const VALUE_WIDTH = 90;
const LINE_HEIGHT = 22;
const PANEL_HEAD = 34;
const PANEL_FOOT = 34;
const MARGIN = 12;
const LEGEND_HEIGHT = 44;
const RADIUS = 4.5;
const TICKS = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5];

/** Colours that the colour-blind can tell apart too (Okabe and Ito), one per family. */
const COLOURS: Record<string, string> = {
  sandblock: "#000000",
  limit: "#999999",
  nbdkit: "#d55e00",
  "qemu-nbd": "#0072b2",
  "nbd-server": "#009e73",
};

type ServerInfo = BenchResult["servers"][number];

interface Scale {
  from: number;
  to: number;
  x(ratio: number): number;
}

/** The speed of `server` in `row`, as a multiple of the subject's. */
function relative(row: RowResult, server: string, subject: string): number {
  return 1 / ratioOf(row, subject, server);
}

function scaleFor(result: BenchResult, subject: string): Scale {
  const all = result.rows.flatMap((row) =>
    result.servers.map(({ id }) => relative(row, id, subject)).filter(Number.isFinite)
  );
  const lowest = Math.min(1, ...all);
  const highest = Math.max(1, ...all);
  const from = TICKS.findLast((tick) => tick <= lowest) ?? TICKS[0]!;
  const to = TICKS.find((tick) => tick >= highest) ?? TICKS.at(-1)!;
  const width = WIDTH - 2 * MARGIN - LABEL_WIDTH - VALUE_WIDTH;
  const span = Math.log(to / from) || 1;
  const x = (ratio: number) => {
    const clamped = Math.min(Math.max(ratio, from), to);
    return MARGIN + LABEL_WIDTH + width * Math.log(clamped / from) / span;
  };
  return { from, to, x };
}

/** The mark of a server: hollow for the installed version, filled for the newer one and for us. */
function mark(server: ServerInfo, x: number, y: number): string {
  const colour = COLOURS[server.family]!;
  if (server.family === "limit") {
    return element("path", {
      d: `M${x - 5} ${y + 5}L${x} ${y - 5}L${x + 5} ${y + 5}Z`,
      fill: colour,
    });
  }
  const hollow = server.family !== "sandblock" && !server.id.endsWith("-new");
  return element("circle", {
    cx: x,
    cy: y,
    r: RADIUS,
    fill: hollow ? "none" : colour,
    stroke: colour,
    "stroke-width": 1.5,
  });
}

function legend(result: BenchResult): string[] {
  const names = nameServers(result);
  const step = (WIDTH - 2 * MARGIN) / Math.min(4, Math.max(1, result.servers.length));
  return result.servers.flatMap((server, index) => {
    const x = MARGIN + (index % 4) * step + RADIUS;
    const y = MARGIN + 6 + Math.floor(index / 4) * 20;
    return [mark(server, x, y), text(x + 12, y + 4, names.get(server.id)!)];
  });
}

function axis(scale: Scale, top: number, bottom: number): string[] {
  return TICKS.filter((tick) => tick >= scale.from && tick <= scale.to).flatMap((tick) => {
    const x = scale.x(tick);
    const stroke = tick === 1 ? "#000000" : "#dddddd";
    return [
      element("line", { x1: x, y1: top, x2: x, y2: bottom, stroke }),
      text(x, bottom + 16, `${tick}`, "middle"),
    ];
  });
}

function panel(
  result: BenchResult,
  rows: RowResult[],
  medium: string,
  scale: Scale,
  top: number,
): string[] {
  const subject = subjectOf(result);
  const first = top + PANEL_HEAD;
  const bottom = first + rows.length * LINE_HEIGHT;
  const parts = [
    text(MARGIN, top + 22, `${medium}: speed relative to ${subject}`, "start", {
      "font-weight": "bold",
    }),
    text(WIDTH - MARGIN, top + 22, subject, "end", { "font-weight": "bold" }),
    ...axis(scale, first - 4, bottom),
  ];
  rows.forEach((row, index) => {
    const y = first + (index + 0.5) * LINE_HEIGHT;
    parts.push(text(MARGIN + LABEL_WIDTH - 12, y + 4, describeRow(row.row), "end"));
    parts.push(text(WIDTH - MARGIN, y + 4, formatRate(row, subject), "end"));
    for (const server of result.servers) {
      const ratio = relative(row, server.id, subject);
      if (Number.isFinite(ratio)) parts.push(mark(server, scale.x(ratio), y));
    }
  });
  return parts;
}

/** The plot of `result` as an SVG document. */
export function plot(result: BenchResult): string {
  const scale = scaleFor(result, subjectOf(result));
  const parts = legend(result);
  let top = MARGIN + LEGEND_HEIGHT;
  for (const medium of MEDIA) {
    const rows = result.rows.filter((row) => row.row.medium === medium);
    if (rows.length === 0) continue;
    parts.push(...panel(result, rows, medium, scale, top));
    top += PANEL_HEAD + rows.length * LINE_HEIGHT + PANEL_FOOT;
  }
  return svgDocument(WIDTH, top + MARGIN, parts);
}

if (import.meta.main) {
  const [from, to] = Deno.args;
  if (from === undefined || to === undefined) {
    console.error("plot: cannot draw: a result and a file to write are needed");
    Deno.exit(1);
  }
  Deno.writeTextFileSync(to, plot(JSON.parse(Deno.readTextFileSync(from)) as BenchResult));
}
