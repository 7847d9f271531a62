// SPDX-License-Identifier: MIT
// A plugin and a filter in JavaScript, from `plugin new` to the conformance kit. Node's npx fetches the
// compiler, as it does for users.

import { install } from "../peers.ts";
import { tryNewPlugin } from "./new_plugin.ts";

for (const kind of ["plugin", "filter"] as const) {
  Deno.test(`a new ${kind} in JavaScript builds, serves and passes the conformance kit`, async () => {
    await install({ node: "nodejs", npx: "npm" });
    // The interpreter takes some hundred microseconds for a request.
    await tryNewPlugin({
      language: "javascript",
      kind,
      operations: 100,
      pluginTimeout: 20,
      timeoutMs: 300_000,
    });
  });
}
