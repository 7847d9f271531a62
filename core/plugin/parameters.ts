// SPDX-License-Identifier: MIT
// Typed parameters of plugins and host backends: what a manifest declares, and the values that
// `key=value` arguments give (wasm-plugins/abi/README.md, "Parameters").

/** Types that a parameter may have. */
export type ParameterType =
  | "string"
  | "int"
  | "size"
  | "bool"
  | "enum"
  | "duration"
  | "percentage"
  | "path"
  | "list"
  | "secret"
  | "uri";

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

interface ValueOf {
  name: string;
  /** Position of the declaration in the manifest. */
  index: number;
}

/** A checked value, structured-cloneable. A repeated parameter has one for each time it was given. */
export type ParameterValue =
  & ValueOf
  & (
    /** size: bytes; duration: nanoseconds; percentage: parts per million. -2^63 to 2^63-1. */
    | { type: "int" | "size" | "duration" | "percentage"; value: bigint }
    | { type: "bool"; value: boolean }
    /** `position`: where `value` stands in the declared values. */
    | { type: "enum"; value: string; position: number }
    /** A path is absolute. */
    | { type: "string" | "path" | "uri"; value: string }
    | { type: "list"; value: string[] }
    | { type: "secret"; value: Uint8Array<ArrayBuffer> }
  );

/** Surroundings of the parser. */
export interface ParseOptions {
  /** Relative paths start here; the current directory when absent. */
  directory?: string;
}

/**
 * Values for `declarations` out of arguments like `size=1G` or, for the positional one, `1G`;
 * defaults filled in, in the order of the declarations. Throws ParameterError.
 */
export function parseParameters(
  _declarations: readonly ParameterDeclaration[],
  _args: readonly string[],
  _options: ParseOptions = {},
): ParameterValue[] {
  throw new Error("Not written yet");
}
