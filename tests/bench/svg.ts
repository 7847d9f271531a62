// SPDX-License-Identifier: MIT
// As much of SVG as the plot needs: elements as text, attributes escaped. SVG 1.1.

/** Attributes of an element. */
export type Attributes = Record<string, string | number>;

function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

function number(value: number): string {
  return `${Math.round(value * 100) / 100}`;
}

/** `<name attributes>children</name>`; children are elements made by this module. */
export function element(name: string, attributes: Attributes, children: string[] = []): string {
  const written = Object.entries(attributes).map(([key, value]) =>
    ` ${key}="${typeof value === "number" ? number(value) : escaped(value)}"`
  ).join("");
  if (children.length === 0) return `<${name}${written}/>`;
  return `<${name}${written}>${children.join("")}</${name}>`;
}

/** Text at (x, y); `anchor` says which end of it lies there. */
export function text(
  x: number,
  y: number,
  content: string,
  anchor: "start" | "middle" | "end" = "start",
  more: Attributes = {},
): string {
  return element("text", { x, y, "text-anchor": anchor, ...more }, [escaped(content)]);
}

/** A document of `width` by `height` pixels on white, one element per line. */
export function svgDocument(width: number, height: number, children: string[]): string {
  const attributes = {
    xmlns: "http://www.w3.org/2000/svg",
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    "font-family": "sans-serif",
    "font-size": 12,
  };
  const background = element("rect", { width, height, fill: "#ffffff" });
  return element("svg", attributes, ["\n", ...[background, ...children].map((one) => one + "\n")]) +
    "\n";
}
