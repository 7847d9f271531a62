// SPDX-License-Identifier: MIT
// A plugin and a filter in Go, from `plugin new` to the conformance kit.

import { tryNewPlugin } from "./new_plugin.ts";
import { goCommand } from "./toolchains.ts";

for (const kind of ["plugin", "filter"] as const) {
  Deno.test(`a new ${kind} in Go builds, serves and passes the conformance kit`, async () => {
    await tryNewPlugin({ language: "go", kind, variables: { GO: await goCommand() } });
  });
}
