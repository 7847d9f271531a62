// SPDX-License-Identifier: MIT
// The reference of all keys in docs/config.md, made from the table that files are checked by.

import type { Field, Fields, Shape } from "./shape.ts";
import { CONFIG, SHAPES } from "./table.ts";

/** Headings of mappings, by where they are in the file. */
const TITLES: Readonly<Record<string, string>> = {
  "": "The file",
  listen: "A listener",
  limits: "Limits",
  export: "An export",
  filter: "A filter",
  device: "What is below",
};

/** Tables in Markdown. */
export function configReference(): string {
  const sections = [
    section("", CONFIG.fields),
    section("listen", fieldsIn(CONFIG.fields.listen!.shape)!),
    section("limits", fieldsIn(CONFIG.fields.limits!.shape)!),
    ...Object.entries(SHAPES).map(([name, shape]) => section(name, fieldsIn(shape)!)),
  ];
  return sections.join("\n");
}

function section(name: string, fields: Fields): string {
  const rows = Object.entries(fields).map(([key, field]) => {
    return `| \`${key}\` | ${valueText(field.shape)} | ${meaning(field)} |`;
  });
  return [`### ${TITLES[name]}`, "", "| Key | Value | |", "| --- | --- | --- |", ...rows, ""].join(
    "\n",
  );
}

function meaning({ help, required, default: otherwise }: Field): string {
  if (required) return `Required. ${help}`;
  return otherwise === undefined ? help : `${help} Default: ${otherwise}.`;
}

function fieldsIn(shape: Shape): Fields | null {
  if (shape.kind === "fields") return shape.fields;
  if (shape.kind !== "either") return null;
  return shape.of.map(fieldsIn).find((fields) => fields !== null) ?? null;
}

function valueText(shape: Shape): string {
  switch (shape.kind) {
    case "text":
      return "string";
    case "flag":
      return "true or false";
    case "choice":
      return shape.values.join(", ");
    case "count":
      return [...shape.words ?? [], "number"].join(", ");
    case "size":
      return "size";
    case "duration":
      return "time";
    case "list":
      return `list of ${valueText(shape.of)}`;
    case "map":
      return `mapping from ${shape.names} to ${valueText(shape.of)}`;
    case "fields":
      return "mapping";
    case "ref":
      return shape.name;
    case "either":
      return shape.of.map(valueText).join(", or ");
  }
}
