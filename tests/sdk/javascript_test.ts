// SPDX-License-Identifier: MIT
// A plugin and a filter in JavaScript, from `plugin new` to the conformance kit. Node's npx fetches the
// compiler, as it does for users.

import { install } from "../peers.ts";
import { tryEverything } from "./everything.ts";
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
    changed: { "manifest.json": [`"pwrite": "transform"`, `"ioctl": "transform"`] },
    ...SLOW,
  });
});

Deno.test("a disk in JavaScript is erased for good, answers ioctls, and has zones", async () => {
  await install({ node: "nodejs", npx: "npm" });
  const source = new URL("javascript/everything.js", import.meta.url);
  await tryEverything({
    language: "javascript",
    kind: "plugin",
    replaced: { "main.js": await Deno.readTextFile(source) },
    ...SLOW,
  });
});
