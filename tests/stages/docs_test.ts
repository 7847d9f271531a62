// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url).pathname;
const SKIPPED = ["dist", "node_modules", ".git"];

/** Paths of all Markdown files below `folder`, relative to ROOT. */
function markdownFiles(folder = ""): string[] {
  return [...Deno.readDirSync(ROOT + folder)].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return SKIPPED.includes(name) ? [] : markdownFiles(`${folder}${name}/`);
    return name.endsWith(".md") ? [folder + name] : [];
  });
}

/** The heading's id as GitHub makes it. */
function slug(heading: string): string {
  return heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").trim().replaceAll(" ", "-");
}

Deno.test("links between the documents lead somewhere", () => {
  const broken: string[] = [];
  for (const file of markdownFiles()) {
    const text = Deno.readTextFileSync(ROOT + file).replace(/^```.*?^```/gms, "");
    for (const [, target] of text.matchAll(/\]\(([^()\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue;
      const [path, anchor] = target!.split("#");
      const url = new URL(path || file.replace(/.*\//, ""), `file://${ROOT}${file}`);
      const found = isThere(url);
      const headings = found && anchor ? headingsOf(url) : [];
      if (!found || anchor && !headings.includes(anchor)) broken.push(`${file}: ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});

Deno.test("examples for other compilers are not taken for tests", () => {
  // What they import is not beside them, and one of them that cannot be loaded ends `deno test --doc`.
  const taken = markdownFiles("wasm-plugins/").filter((file) => {
    return /^```[cm]?[jt]sx?(?=[\s,])(?!.*\bignore\b)/m.test(Deno.readTextFileSync(ROOT + file));
  });
  assert.deepEqual(taken, []);
});

function isThere(url: URL): boolean {
  try {
    Deno.statSync(url);
    return true;
  } catch {
    return false;
  }
}

function headingsOf(url: URL): string[] {
  const text = Deno.readTextFileSync(url);
  return [...text.matchAll(/^#+ (.*)$/gm)].map((match) => slug(match[1]!));
}

Deno.test("every package of deno.json is among the documented dependencies, with its version", () => {
  const { imports } = JSON.parse(Deno.readTextFileSync(`${ROOT}deno.json`));
  const text = Deno.readTextFileSync(`${ROOT}docs/dependencies.md`);
  const undocumented = Object.values<string>(imports).filter((specifier) => {
    const [, name, version] = /^npm:(.*)@(.*)$/.exec(specifier)!;
    return !text.includes(`| [${name}](`) || !text.includes(`) | ${version} |`) ||
      !text.includes(`\n## ${name}\n`);
  });
  assert.deepEqual(undocumented, []);
});

Deno.test("every bundled plugin and filter is named in the README, and every filter on the page of filters", () => {
  const readme = Deno.readTextFileSync(`${ROOT}README.md`);
  const filters = Deno.readTextFileSync(`${ROOT}docs/filters.md`);
  const missing = manifests().flatMap(({ name, kind, children }) => {
    const isNode = children?.minimum > 1 || name === "concat";
    const isFilter = kind === "filter" && !isNode;
    return [
      ...readme.includes(`\`${name}\``) ? [] : [`README.md: ${name}`],
      ...!isFilter || filters.includes(`wasm-plugins/${name}/README.md`)
        ? []
        : [`filters: ${name}`],
    ];
  });
  assert.deepEqual(missing, []);
});

// deno-lint-ignore no-explicit-any
function manifests(): any[] {
  return [...Deno.readDirSync(`${ROOT}wasm-plugins`)].flatMap(({ name }) => {
    const path = `${ROOT}wasm-plugins/${name}/manifest.json`;
    return isThere(new URL(`file://${path}`)) ? [JSON.parse(Deno.readTextFileSync(path))] : [];
  });
}
