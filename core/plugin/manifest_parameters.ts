// SPDX-License-Identifier: MIT
// Checks the parameters that a manifest declares, down to whether the default of each is a value
// that the parameter takes (wasm-plugins/abi/README.md, "Parameters").

import { ParameterError, PluginError } from "./errors.ts";
import { Fields } from "./manifest_fields.ts";
import { PARAMETER_TYPES, type ParameterDeclaration } from "./parameters.ts";
import { oneLine } from "./text.ts";
import { isNumeric, parseNumber, parseValue } from "./values.ts";

/** Parameters that a plugin may have, and values of an enum. */
const PARAMETERS_MAX = 256;
const VALUES_MAX = 256;
/** Longest name or enum value, and longest default, in characters. */
const NAME_LENGTH_MAX = 64;
const DEFAULT_LENGTH_MAX = 4096;
const NAME = /^[A-Za-z][A-Za-z0-9_-]*$/;

const KEYS = [
  "name",
  "type",
  "description",
  "required",
  "default",
  "minimum",
  "maximum",
  "values",
  "positional",
  "repeated",
];

/** The declarations that `json` holds. Throws PluginError. */
export function checkParameters(json: unknown): ParameterDeclaration[] {
  if (!Array.isArray(json)) throw new PluginError(`"parameters" of its manifest is not a list`);
  if (json.length > PARAMETERS_MAX) {
    throw new PluginError(
      `its manifest has ${json.length} parameters; it may have ${PARAMETERS_MAX}`,
    );
  }
  const declarations = json.map((one, index) => checkDeclaration(one, index));
  const names = new Set<string>();
  for (const { name } of declarations) {
    if (names.has(name)) throw new PluginError(`its manifest has two parameters called "${name}"`);
    names.add(name);
  }
  if (declarations.filter(({ positional }) => positional).length > 1) {
    throw new PluginError("its manifest has more than one positional parameter");
  }
  return declarations;
}

function checkDeclaration(json: unknown, index: number): ParameterDeclaration {
  const unnamed = new Fields(json, `parameter ${index + 1} of its manifest`, KEYS);
  const name = unnamed.line("name", NAME_LENGTH_MAX);
  if (!NAME.test(name)) {
    unnamed.fail("name", "it must be a letter and then letters, digits, dashes and underscores");
  }
  const fields = new Fields(json, `parameter "${name}" of its manifest`, KEYS);
  const declaration: ParameterDeclaration = {
    name,
    type: fields.oneOf("type", PARAMETER_TYPES),
    description: fields.description(),
  };
  for (const key of ["required", "positional", "repeated"] as const) {
    if (fields.boolean(key)) declaration[key] = true;
  }
  checkRange(fields, declaration);
  checkValues(fields, declaration);
  checkDefault(fields, declaration);
  return declaration;
}

/** A value written as on the command line; JSON numbers and booleans will do. */
function textOf(fields: Fields, key: string): string | undefined {
  const value = fields.get(key);
  if (value === undefined) return undefined;
  if (typeof value === "boolean") return String(value);
  // Larger numbers have been rounded by the JSON parser already.
  if (typeof value === "number" && Number.isSafeInteger(value)) return String(value);
  if (typeof value !== "string") {
    fields.fail(key, "it must be a string, a whole number below 2^53, or true or false");
  }
  if (value.length > DEFAULT_LENGTH_MAX) {
    fields.fail(key, `it may be ${DEFAULT_LENGTH_MAX} characters long`);
  }
  return value;
}

function checkRange(fields: Fields, declaration: ParameterDeclaration): void {
  const { type } = declaration;
  for (const key of ["minimum", "maximum"] as const) {
    const text = textOf(fields, key);
    if (text === undefined) continue;
    if (!isNumeric(type)) fields.fail(key, `a parameter of type ${type} has none`);
    factsOf(fields, key, () => parseNumber(type, text));
    declaration[key] = text;
  }
  const { minimum, maximum } = declaration;
  if (minimum === undefined || maximum === undefined || !isNumeric(type)) return;
  if (parseNumber(type, minimum) > parseNumber(type, maximum)) {
    fields.fail("minimum", "it is larger than the maximum");
  }
}

function checkValues(fields: Fields, declaration: ParameterDeclaration): void {
  const values = fields.get("values");
  if (declaration.type !== "enum") {
    if (values !== undefined) fields.fail("values", "only a parameter of type enum has them");
    return;
  }
  if (!Array.isArray(values) || values.length === 0 || values.length > VALUES_MAX) {
    fields.fail("values", `it must be a list of 1 to ${VALUES_MAX} words`);
  }
  for (const value of values) {
    if (typeof value !== "string" || value === "" || value.length > NAME_LENGTH_MAX) {
      fields.fail("values", `each must be a string of 1 to ${NAME_LENGTH_MAX} characters`);
    }
    if (oneLine(value) !== value) fields.fail("values", "each must be one line");
  }
  if (new Set(values).size !== values.length) fields.fail("values", "one stands there twice");
  declaration.values = values;
}

function checkDefault(fields: Fields, declaration: ParameterDeclaration): void {
  const text = textOf(fields, "default");
  if (text === undefined) return;
  if (declaration.required) fields.fail("default", "a required parameter has none");
  if (declaration.type === "secret") fields.fail("default", "a secret has none");
  // Only whoever starts the server says which files a plugin gets to see.
  if (declaration.type === "file") fields.fail("default", "a file has none");
  factsOf(fields, "default", () => parseValue(declaration, 0, text, "/"));
  declaration.default = text;
}

function factsOf(fields: Fields, key: string, parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    if (error instanceof ParameterError) fields.fail(key, error.message);
    throw error;
  }
}
