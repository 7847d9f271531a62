// SPDX-License-Identifier: MIT
// A plugin and a filter in Go, from `plugin new` to the conformance kit; and those that use all of the SDK.

import { type NewPlugin, tryNewPlugin } from "./new_plugin.ts";
import { goCommand } from "./toolchains.ts";

for (const kind of ["plugin", "filter"] as const) {
  Deno.test(`a new ${kind} in Go builds, serves and passes the conformance kit`, async () => {
    await tryNewPlugin({ language: "go", kind, variables: { GO: await goCommand() } });
  });
}

const MORE = `"metrics": [{ "name": "last", "type": "gauge" }],
  "capabilities": { "clock": {} },
  "limits":`;
const EVERYTHING: { kind: NewPlugin["kind"]; file: string; manifest: [string, string] }[] = [
  { kind: "plugin", file: "everything.go", manifest: [`"limits":`, MORE] },
  {
    kind: "filter",
    file: "everything_filter.go",
    manifest: [`"pwrite": "transform"`, `"ioctl": "transform"`],
  },
];

for (const { kind, file, manifest } of EVERYTHING) {
  Deno.test(`a ${kind} that uses all of the Go SDK passes the conformance kit`, async () => {
    const source = await Deno.readTextFile(new URL(`go/${file}`, import.meta.url));
    await tryNewPlugin({
      language: "go",
      kind,
      variables: { GO: await goCommand() },
      replaced: { "main.go": source },
      changed: { "manifest.json": manifest },
    });
  });
}
