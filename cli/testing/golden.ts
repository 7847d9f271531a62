// SPDX-License-Identifier: MIT
// Golden files: what a command prints is compared with what is checked in below cli/golden/.
// After a wanted change: UPDATE_GOLDEN=1 deno test -A cli, then read the difference.

import assert from "node:assert/strict";

const DIRECTORY = new URL("../golden/", import.meta.url);

/** Asserts that `text` is what the golden file `name` holds. */
export function assertGolden(name: string, text: string): void {
  const file = new URL(name, DIRECTORY);
  if (Deno.env.get("UPDATE_GOLDEN") === "1") Deno.writeTextFileSync(file, text);
  assert.equal(text, Deno.readTextFileSync(file), `cli/golden/${name} differs`);
}
