// SPDX-License-Identifier: MIT
// A plugin and a filter in Python, from `plugin new` to the conformance kit.

import { tryEverything } from "./everything.ts";
import { tryNewPlugin } from "./new_plugin.ts";
import { COMPONENTIZE_PY, pythonProgram } from "./toolchains.ts";

/** The interpreter takes some hundred microseconds for a request. */
const SLOW = { operations: 100, pluginTimeout: 20, timeoutMs: 300_000 };

for (const kind of ["plugin", "filter"] as const) {
  Deno.test(`a new ${kind} in Python builds, serves and passes the conformance kit`, async () => {
    await tryNewPlugin({
      language: "python",
      kind,
      variables: { COMPONENTIZE_PY: await pythonProgram(COMPONENTIZE_PY, "componentize-py") },
      ...SLOW,
    });
  });
}

Deno.test("a filter that uses all that there is in Python passes the conformance kit", async () => {
  const source = new URL("python/everything_filter.py", import.meta.url);
  await tryNewPlugin({
    language: "python",
    kind: "filter",
    variables: { COMPONENTIZE_PY: await pythonProgram(COMPONENTIZE_PY, "componentize-py") },
    replaced: { "app.py": await Deno.readTextFile(source) },
    changed: { "manifest.json": [`"pwrite": "transform"`, `"ioctl": "transform"`] },
    ...SLOW,
  });
});

Deno.test("a disk in Python is erased for good, answers ioctls, and has zones", async () => {
  const source = new URL("python/everything.py", import.meta.url);
  await tryEverything({
    language: "python",
    kind: "plugin",
    variables: { COMPONENTIZE_PY: await pythonProgram(COMPONENTIZE_PY, "componentize-py") },
    replaced: { "app.py": await Deno.readTextFile(source) },
    ...SLOW,
  });
});
