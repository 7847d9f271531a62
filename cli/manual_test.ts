// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { root } from "./commands/root.ts";
import { plain } from "./declare/plain.ts";
import { roff } from "./declare/roff.ts";
import { manualPages } from "./manual.ts";
import { pluginManual } from "./plugin_manuals.ts";
import { findPlugin, knownNames } from "./plugins.ts";
import { assertGolden } from "./testing/golden.ts";
import { installed } from "./testing/run.ts";
import { samplePlugins } from "./testing/sample_plugins.ts";

const pages = manualPages(root, samplePlugins);

Deno.test("there is a page per command that has one, and per plugin", () => {
  assert.deepEqual(pages.map(({ name }) => name), [
    "sandblock",
    "sandblock-serve",
    "sandblock-attach",
    "sandblock-plugin",
    "sandblock-policy",
    "sandblock-config",
    "sandblock-graph",
    "sandblock-disk-plugin",
    "sandblock-nothing-plugin",
    "sandblock-sieve-filter",
    "sandblock-heap-filter",
  ]);
});

for (const page of pages) {
  Deno.test(`${page.name}(1) is what the golden file holds`, () => {
    // The version is not a matter of the page.
    const text = roff(page).replace(/"sandblock [^"]*"/, '"sandblock VERSION"');
    assertGolden(`${page.name}.1`, text);
  });
}

Deno.test("plain pages have every section and fit in 80 columns", () => {
  for (const page of pages) {
    const lines = plain(page).split("\n");
    for (const { title } of page.sections) assert.ok(lines.includes(title.toUpperCase()), title);
    const words = lines.filter((line) => line.length > 80 && !line.startsWith("        "));
    assert.deepEqual(words.filter((line) => line.trim().includes(" ")), []);
  }
});

Deno.test(
  "man(1) formats every page without a warning",
  { ignore: !installed("man") },
  async () => {
    const directory = await Deno.makeTempDir();
    for (const page of pages) {
      const file = `${directory}/${page.name}.1`;
      await Deno.writeTextFile(file, roff(page));
      const { stderr, success } = await new Deno.Command("man", {
        args: ["--warnings=w", "-l", file],
        env: { LC_ALL: "C.UTF-8", MANROFFSEQ: "", MANWIDTH: "80", PAGER: "cat" },
      }).output();
      assert.equal(new TextDecoder().decode(stderr), "", page.name);
      assert.ok(success);
    }
    await Deno.remove(directory, { recursive: true });
  },
);

Deno.test("the page of a bundled plugin is what its README says, and names every parameter", () => {
  for (const name of knownNames()) {
    const { manifest } = findPlugin(name);
    const [page] = manualPages(root, [manifest], pluginManual).slice(-1);
    assert.equal(page!.name, `sandblock-${name}-${manifest.kind}`);
    const text = plain(page!);
    const missing = manifest.parameters.filter(({ name }) => {
      // Those of the filter error are described by their kind.
      const kind = name.replace(/^error-(?!rate|range|seed)[a-z]+/, "error-KIND");
      return !text.includes(`${name}=`) && !text.includes(`${kind}=`);
    });
    assert.deepEqual(missing.map(({ name }) => name), [], name);
    const titles = page!.sections.map(({ title }) => title.toUpperCase());
    assert.ok(titles.some((title) => /^EXAMPLE|^SYNOPSIS/.test(title)), name);
    assert.equal(new Set(titles).size, titles.length, name);
    assert.doesNotMatch(text, /\]\(|\*\*/, name);
  }
});
