// SPDX-License-Identifier: MIT
// Typed parameters of plugins and host backends: what a manifest declares, and the values that
// `key=value` arguments give (wasm-plugins/abi/README.md, "Parameters").

import { ParameterError } from "./errors.ts";
import { didYouMean } from "./suggest.ts";
import { quoted } from "./text.ts";
import { parseValue } from "./values.ts";

/** Types that a parameter may have. */
export const PARAMETER_TYPES = [
  "string",
  "int",
  "size",
  "bool",
  "enum",
  "duration",
  "percentage",
  "path",
  "list",
  "secret",
  "uri",
  "file",
] as const;
export type ParameterType = typeof PARAMETER_TYPES[number];

/** One parameter as a manifest declares it. */
export interface ParameterDeclaration {
  name: string;
  type: ParameterType;
  description: string;
  /** It must be given. */
  required?: boolean;
  /** Value when it is not given, written as on the command line. */
  default?: string;
  /** Smallest and largest value of an int, size, duration or percentage, written as there. */
  minimum?: string;
  maximum?: string;
  /** The values of an enum. */
  values?: string[];
  /** An argument without `key=` is meant for this one. At most one has it. */
  positional?: boolean;
  /** It may be given several times. */
  repeated?: boolean;
}

interface ValueBase {
  name: string;
  /** Position of the declaration in the manifest. */
  index: number;
}

/** A checked value, structured-cloneable. A repeated parameter has one for each time it was given. */
export type ParameterValue =
  & ValueBase
  & (
    /** size: bytes; duration: nanoseconds; percentage: parts per million. -2^63 to 2^63-1. */
    | { type: "int" | "size" | "duration" | "percentage"; value: bigint }
    | { type: "bool"; value: boolean }
    /** `position`: where `value` stands in the declared values. */
    | { type: "enum"; value: string; position: number }
    /** A path is absolute. */
    | { type: "string" | "path" | "uri"; value: string }
    | { type: "list"; value: string[] }
    /** The bytes themselves: of a file its content. */
    | { type: "secret" | "file"; value: Uint8Array<ArrayBuffer> }
  );

/** Surroundings of the parser. */
export interface ParseOptions {
  /** Relative paths start here; the current directory when absent. */
  directory?: string;
}

/** What the part before `=` must look like; anything else is meant for the positional parameter. */
const KEY = /^[A-Za-z][A-Za-z0-9._-]*$/;

/**
 * Values for `declarations` out of arguments like `size=1G` or, for the positional one, `1G`;
 * defaults filled in, in the order of the declarations. Throws ParameterError.
 */
export function parseParameters(
  declarations: readonly ParameterDeclaration[],
  args: readonly string[],
  options: ParseOptions = {},
): ParameterValue[] {
  const directory = options.directory ?? Deno.cwd();
  const given = declarations.map((): string[] => []);
  for (const arg of args) {
    const { index, text } = assignmentOf(declarations, arg);
    const { name, repeated } = declarations[index]!;
    if (given[index]!.length > 0 && !repeated) {
      throw new ParameterError(`cannot set ${name} to ${quoted(text)}: it is set already`);
    }
    given[index]!.push(text);
  }
  return declarations.flatMap((declaration, index) => {
    const texts = given[index]!;
    if (texts.length === 0 && declaration.default !== undefined) texts.push(declaration.default);
    if (texts.length === 0 && declaration.required) {
      throw new ParameterError(`cannot do without ${declaration.name}: ${usageOf(declaration)}`);
    }
    return texts.map((text) => valueOf(declaration, index, text, directory));
  });
}

function valueOf(
  declaration: ParameterDeclaration,
  index: number,
  text: string,
  directory: string,
): ParameterValue {
  try {
    return parseValue(declaration, index, text, directory);
  } catch (error) {
    if (error instanceof ParameterError) error.parameter = declaration.name;
    throw error;
  }
}

/** The key of an argument like `size=1G`; null for one that is meant for the positional parameter. */
export function parameterKey(arg: string): string | null {
  const key = arg.slice(0, Math.max(0, arg.indexOf("=")));
  return KEY.test(key) ? key : null;
}

function assignmentOf(
  declarations: readonly ParameterDeclaration[],
  arg: string,
): { index: number; text: string } {
  const equals = arg.indexOf("=");
  const key = arg.slice(0, Math.max(0, equals));
  if (KEY.test(key)) {
    const index = declarations.findIndex(({ name }) => name === key);
    if (index < 0) throw unknownParameter(declarations, key);
    return { index, text: arg.slice(equals + 1) };
  }
  const index = declarations.findIndex(({ positional }) => positional);
  if (index >= 0) return { index, text: arg };
  throw new ParameterError(`cannot use ${quoted(arg)}: parameters are given as key=value`);
}

function unknownParameter(
  declarations: readonly ParameterDeclaration[],
  key: string,
): ParameterError {
  const names = declarations.map(({ name }) => name);
  const known = names.length > 0 ? `the parameters are ${names.join(", ")}` : "it takes none";
  const advice = didYouMean(key, names) || `; ${known}`;
  return new ParameterError(`cannot set ${quoted(key)}: there is no such parameter${advice}`);
}

function usageOf({ name, type, positional }: ParameterDeclaration): string {
  const assignment = `${name}=${type.toUpperCase()}`;
  return `it is required; give it as ${positional ? `${type.toUpperCase()} or ` : ""}${assignment}`;
}
