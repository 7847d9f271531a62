// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { readManifest } from "../core/plugin/manifest.ts";
import { writeManifest } from "../core/plugin/manifest.ts";
import { expandTemplate, isPluginName } from "../wasm-plugins/templates/expand.ts";
import { KINDS, LANGUAGES } from "../wasm-plugins/templates/languages.ts";
import { run } from "./testing/run.ts";

const MAIN = new URL("main.ts", import.meta.url).pathname;
const EMPTY_MODULE = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);

function pluginNew(...args: string[]) {
  return run(Deno.execPath(), ["run", "-A", MAIN, "plugin", "new", ...args]);
}

Deno.test("the languages are in alphabetical order and each has a template", () => {
  const names = LANGUAGES.map(({ name }) => name);
  assert.deepEqual(names, [...names].sort());
  for (const language of LANGUAGES) {
    const kinds = KINDS.filter((kind) => {
      return expandTemplate({ name: "a", language, kind, sandblock: "sandblock" }).has("Makefile");
    });
    assert.ok(kinds.includes("plugin"), language.name);
  }
});

Deno.test("templates are filled in: nothing of them is left between at signs", () => {
  for (const language of LANGUAGES) {
    for (const kind of KINDS) {
      const files = expandTemplate({ name: "my-disk", language, kind, sandblock: "SANDBLOCK" });
      for (const [path, text] of files) {
        assert.doesNotMatch(path, /@|(^|\/)dot-/, `${language.name} ${kind}`);
        const words = /@(name|ident|title|needs|install|source|sandblock)@/;
        assert.doesNotMatch(text, words, `${language.name} ${kind} ${path}`);
      }
      if (!files.has("Makefile")) continue;
      assert.match(files.get("README.md")!, /^# my-disk\n/);
      assert.match(files.get("Makefile")!, /^SANDBLOCK \?= SANDBLOCK$/m);
      const source = language.source.replaceAll("@name@", "my-disk");
      assert.ok(files.has(source), `${language.name} ${kind}: ${source}`);
    }
  }
});

Deno.test("manifests of templates are manifests", () => {
  for (const language of LANGUAGES) {
    for (const kind of KINDS) {
      const files = expandTemplate({ name: "my-disk", language, kind, sandblock: "sandblock" });
      const json = files.get("manifest.json");
      if (json === undefined) continue;
      const manifest = readManifest(writeManifest(EMPTY_MODULE, json));
      assert.equal(manifest.name, "my-disk");
      assert.equal(manifest.kind, kind);
    }
  }
});

Deno.test("a name is one that plugins of every language can have", () => {
  for (const good of ["disk", "my-disk", "A1_b", "d".repeat(64)]) assert.ok(isPluginName(good));
  for (const bad of ["", "1disk", "-disk", "my disk", "a.b", "d".repeat(65), "disk\n"]) {
    assert.ok(!isPluginName(bad), bad);
  }
});

Deno.test("plugin new writes a directory once, and nothing where it cannot", async () => {
  const folder = await Deno.makeTempDir();
  const target = `${folder}/my-disk`;
  const made = await pluginNew("--lang", "c", `${target}/`);
  assert.equal(made.code, 0, made.stderr);
  assert.match(made.stdout, /my-disk: a plugin in C, which needs clang and lld\nNext: cd /);
  const names = [...Deno.readDirSync(target)].map(({ name }) => name);
  for (const name of [".gitignore", "Makefile", "README.md", "my-disk.c", "sandblock.h"]) {
    assert.ok(names.includes(name), name);
  }
  const again = await pluginNew("--lang", "c", target);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /cannot make ".*my-disk": it is there already; choose another name/);
  const nowhere = await pluginNew("--lang", "c", `${folder}/none/disk`);
  assert.match(nowhere.stderr, /cannot make directory ".*none\/disk": No such file or directory/);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("plugin new refuses a language, kind or name that it does not know", async () => {
  const refusal = async (...args: string[]) => {
    const { code, stderr } = await pluginNew(...args);
    assert.equal(code, 1, stderr);
    return stderr;
  };
  assert.match(await refusal("disk"), /without --lang: the languages are assemblyscript, .*c/);
  assert.match(await refusal("--lang", "assemblyscrip", "disk"), /did you mean "assemblyscript"\?/);
  assert.match(await refusal("--lang", "c", "-k", "disk", "d"), /there are plugin and filter/);
  assert.match(
    await refusal("--lang", "c", "my disk"),
    /cannot name a plugin "my disk": a name is/,
  );
});
