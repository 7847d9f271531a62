// SPDX-License-Identifier: MIT
// Turns the text of one parameter into a checked value of its declared type.

import { ParameterError } from "./errors.ts";
import type { ParameterDeclaration, ParameterType, ParameterValue } from "./parameters.ts";
import {
  parseBool,
  parseDuration,
  parseInteger,
  parsePercentage,
  parseSize,
} from "./quantities.ts";
import { absolutePath } from "./path.ts";
import { readContent, readSecret } from "./secret.ts";
import { didYouMean } from "./suggest.ts";
import { quoted } from "./text.ts";

const NUMBERS = {
  int: parseInteger,
  size: parseSize,
  duration: parseDuration,
  percentage: parsePercentage,
} as const;

/** Whether parameters of this type are numbers, which may have a smallest and a largest value. */
export function isNumeric(type: ParameterType): type is keyof typeof NUMBERS {
  return type in NUMBERS;
}

/** Whether values of this type reach a plugin through sb_param_int, rather than sb_param_bytes. */
export function isNumberParameter(type: ParameterType): boolean {
  return isNumeric(type) || type === "bool" || type === "enum";
}

/** The number that `text` is for the numeric `type`. Throws ParameterError with a fact. */
export function parseNumber(type: keyof typeof NUMBERS, text: string): bigint {
  return NUMBERS[type](text);
}

/**
 * The value of the parameter at `index` of the declarations. A relative path starts at `directory`.
 * Throws ParameterError: `cannot parse size "10Q": unknown suffix ...`.
 */
export function parseValue(
  declaration: ParameterDeclaration,
  index: number,
  text: string,
  directory: string,
): ParameterValue {
  try {
    return parseTyped(declaration, index, text, directory);
  } catch (error) {
    if (!(error instanceof ParameterError)) throw error;
    // A secret that did not parse may be on its way to a log.
    const shown = declaration.type === "secret" ? "" : ` ${quoted(text)}`;
    throw new ParameterError(`cannot parse ${declaration.name}${shown}: ${error.message}`);
  }
}

function parseTyped(
  declaration: ParameterDeclaration,
  index: number,
  text: string,
  directory: string,
): ParameterValue {
  const { name, type } = declaration;
  switch (type) {
    case "int":
    case "size":
    case "duration":
    case "percentage":
      return { name, index, type, value: inRange(declaration, type, parseNumber(type, text)) };
    case "bool":
      return { name, index, type, value: parseBool(text) };
    case "enum":
      return { name, index, type, value: text, position: positionOf(declaration, text) };
    case "string":
      return { name, index, type, value: text };
    case "path":
      if (text === "") throw new ParameterError("a path may not be empty");
      return { name, index, type, value: absolutePath(directory, text) };
    case "uri":
      if (!URL.canParse(text)) throw new ParameterError("not a URI; it begins like scheme:");
      return { name, index, type, value: text };
    case "list":
      return { name, index, type, value: text === "" ? [] : text.split(",") };
    case "file":
      return { name, index, type, value: readContent(absolutePath(directory, text)) };
    case "secret":
      return { name, index, type, value: readSecret(text, name) };
  }
}

function inRange(
  declaration: ParameterDeclaration,
  type: keyof typeof NUMBERS,
  value: bigint,
): bigint {
  const { minimum, maximum } = declaration;
  if (minimum !== undefined && value < parseNumber(type, minimum)) {
    throw new ParameterError(`too small; the smallest is ${minimum}`);
  }
  if (maximum !== undefined && value > parseNumber(type, maximum)) {
    throw new ParameterError(`too large; the largest is ${maximum}`);
  }
  return value;
}

function positionOf(declaration: ParameterDeclaration, text: string): number {
  const values = declaration.values ?? [];
  const position = values.indexOf(text);
  if (position >= 0) return position;
  const meant = didYouMean(text, values);
  throw new ParameterError(`not one of ${values.join(", ")}${meant}`);
}
