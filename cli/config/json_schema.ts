// SPDX-License-Identifier: MIT
// The published schema of configuration files (docs/config.schema.json), for editors that complete and
// check: JSON Schema 2020-12, made from the table that sandblock itself checks by.

import type { Fields, Shape } from "./shape.ts";
import { CONFIG, SHAPES } from "./table.ts";

type Schema = Record<string, unknown>;

/** How numbers of bytes and times may be written (ABI, "Parameters"). */
const SIZE = "^[0-9]+(\\.[0-9]{1,18})?\\s*([bBsS]|[KMGTPEkmgtpe]([iI][bB])?)?$";
const DURATION = "^[0-9]+(\\.[0-9]{1,18})?\\s*(ns|us|µs|ms|s|m|h|d)?$";

/** The text of the schema. */
export function configSchema(): string {
  const schema: Schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Configuration of sandblock serve --config",
    ...schemaOf(CONFIG),
    $defs: Object.fromEntries(
      Object.entries(SHAPES).map(([name, shape]) => [name, schemaOf(shape)]),
    ),
  };
  return JSON.stringify(schema, null, 2) + "\n";
}

function schemaOf(shape: Shape): Schema {
  switch (shape.kind) {
    case "text":
      return { type: ["string", "number", "boolean"] };
    case "flag":
      return { type: "boolean" };
    case "choice":
      return { enum: shape.values };
    case "count":
      return withWords(shape.words, [{
        type: "integer",
        minimum: shape.minimum,
        maximum: shape.maximum,
      }]);
    case "size":
      return withWords(shape.words, [{ type: "string", pattern: SIZE }, { type: "integer" }]);
    case "duration":
      return withWords(shape.words, [{ type: "string", pattern: DURATION }, { type: "number" }]);
    case "list":
      return { type: "array", items: schemaOf(shape.of), minItems: 1 };
    case "map":
      return { type: "object", additionalProperties: schemaOf(shape.of), minProperties: 1 };
    case "fields":
      return fieldsSchema(shape);
    case "either":
      return { anyOf: shape.of.map(schemaOf) };
    case "ref":
      return { $ref: `#/$defs/${shape.name}` };
  }
}

function withWords(words: readonly string[] | undefined, schemas: Schema[]): Schema {
  const all = words === undefined ? schemas : [...schemas, { enum: words }];
  return all.length === 1 ? all[0]! : { anyOf: all };
}

function fieldsSchema({ fields, short }: Extract<Shape, { kind: "fields" }>): Schema {
  const required = Object.keys(fields).filter((name) => fields[name]!.required);
  const object = {
    type: "object",
    properties: propertiesOf(fields),
    ...required.length > 0 && { required },
    additionalProperties: false,
  };
  return short === undefined ? object : { anyOf: [{ type: "string" }, object] };
}

function propertiesOf(fields: Fields): Schema {
  return Object.fromEntries(
    Object.entries(fields).map(([name, { shape, help, default: otherwise }]) => {
      const description = otherwise === undefined ? help : `${help} Default: ${otherwise}.`;
      return [name, { description, ...schemaOf(shape) }];
    }),
  );
}
