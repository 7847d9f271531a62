// SPDX-License-Identifier: MIT
// A plugin and a filter in JavaScript, from `plugin new` to the conformance kit. Node's npx fetches the
// compiler, as it does for users.

import { install } from "../peers.ts";
import { tryNewPlugin } from "./new_plugin.ts";

/** The interpreter takes some hundred microseconds for a request. */
const SLOW = { operations: 100, pluginTimeout: 20, timeoutMs: 300_000 };

for (const kind of ["plugin", "filter"] as const) {
  Deno.test(`a new ${kind} in JavaScript builds, serves and passes the conformance kit`, async () => {
    await install({ node: "nodejs", npx: "npm" });
    await tryNewPlugin({ language: "javascript", kind, ...SLOW });
  });
}

Deno.test("a filter that uses all that there is in JavaScript passes the conformance kit", async () => {
  await install({ node: "nodejs", npx: "npm" });
  const source = new URL("javascript/everything_filter.js", import.meta.url);
  await tryNewPlugin({
    language: "javascript",
    kind: "filter",
    replaced: { "main.js": await Deno.readTextFile(source) },
    changed: { "manifest.json": [`,\n  "calls": { "pwrite": "transform" }`, ""] },
    ...SLOW,
  });
});
