// SPDX-License-Identifier: MIT
// The argument that all commands about policies have.

import type { ArgumentDeclaration } from "../declare/declaration.ts";

/** `FILE`. */
export const policyArgument = {
  name: "FILE",
  help: "Rules as text, or a WebAssembly module of the kind policy",
  required: true,
  complete: "file",
} as const satisfies ArgumentDeclaration;
