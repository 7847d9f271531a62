// SPDX-License-Identifier: MIT
// A plugin and a filter in AssemblyScript, from `plugin new` to the conformance kit.

import { install } from "../peers.ts";
import { tryNewPlugin } from "./new_plugin.ts";

for (const kind of ["plugin", "filter"] as const) {
  Deno.test(`a new ${kind} in AssemblyScript builds, serves and passes the kit`, async () => {
    await install({ npx: "npm" });
    await tryNewPlugin({ language: "assemblyscript", kind });
  });
}
