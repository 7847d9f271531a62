// SPDX-License-Identifier: MIT
// What the READMEs of SDKs show is what `plugin new` writes.

import assert from "node:assert/strict";
import { expandTemplate } from "./expand.ts";
import { LANGUAGES } from "./languages.ts";

const SDK = new URL("../sdk/", import.meta.url);

for (const name of ["c", "cpp", "rust"]) {
  const language = LANGUAGES.find((one) => one.name === name)!;

  Deno.test(`the RAM disk in ${language.title} is the one that its README shows`, () => {
    const plugin = { name: "my-disk", language, kind: "plugin", sandblock: "sandblock" } as const;
    const source = language.source.replaceAll("@name@", "my-disk");
    const [, ...code] = expandTemplate(plugin).get(source)!.split("\n");
    const readme = Deno.readTextFileSync(new URL(`${name}/README.md`, SDK));
    const [, shown] = /## A RAM disk\n\n```\w+\n(.*?)```/s.exec(readme)!;
    assert.equal(shown, code.join("\n").trimStart());
  });
}
