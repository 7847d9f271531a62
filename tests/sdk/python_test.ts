// SPDX-License-Identifier: MIT
// A plugin and a filter in Python, from `plugin new` to the conformance kit.

import { tryNewPlugin } from "./new_plugin.ts";
import { COMPONENTIZE_PY, pythonProgram } from "./toolchains.ts";

for (const kind of ["plugin", "filter"] as const) {
  Deno.test(`a new ${kind} in Python builds, serves and passes the conformance kit`, async () => {
    await tryNewPlugin({
      language: "python",
      kind,
      variables: { COMPONENTIZE_PY: await pythonProgram(COMPONENTIZE_PY, "componentize-py") },
      // The interpreter takes some hundred microseconds for a request.
      operations: 100,
      pluginTimeout: 20,
      timeoutMs: 300_000,
    });
  });
}
