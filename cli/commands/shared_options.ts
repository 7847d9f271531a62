// SPDX-License-Identifier: MIT
// Options that most commands share.

import type { OptionDeclaration } from "../declare/declaration.ts";

/** `--help`, handled before a command runs. */
export const helpOption = {
  short: "h",
  long: "help",
  group: "Options",
  help: "Print this",
  since: "0.1.0",
} as const satisfies OptionDeclaration;

/** `--json`. */
export const jsonOption = {
  long: "json",
  group: "Options",
  help: "Print JSON",
  since: "0.1.0",
} as const satisfies OptionDeclaration;
