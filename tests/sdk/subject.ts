// SPDX-License-Identifier: MIT
// A correct plugin and a correct filter (subjects/), and the bundled plugin with zones, compiled with faults in
// them, and what the conformance kit says about them.

import asc from "assemblyscript/asc";
import { CHECKS } from "../../core/check/checks.ts";
import type { CheckReport } from "../../core/check/report.ts";
import { runChecks } from "../../core/check/run.ts";
import { readManifest, writeManifest } from "../../core/plugin/manifest.ts";
import { parseParameters } from "../../core/plugin/parameters.ts";
import type { Watch } from "../../core/plugin/watch.ts";
import type { Edit, Fault } from "./faults.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const FOLDER = "tests/sdk/subjects";
/** Fast to compile; what it makes is fast enough. */
const FLAGS = ["--optimizeLevel", "0", "--noAssert", "--runtime", "minimal", "--use", "abort="];
const ZONED = "wasm-plugins/zoned";

/** Sources, the first of which is compiled, the manifest, and what each is started with. */
const SUBJECTS = {
  disk: {
    sources: [`${FOLDER}/assembly/disk.ts`],
    manifest: `${FOLDER}/disk.json`,
    arguments: ["1M"],
  },
  filter: {
    sources: [`${FOLDER}/assembly/filter.ts`],
    manifest: `${FOLDER}/filter.json`,
    arguments: [],
  },
  zoned: {
    sources: [`${ZONED}/assembly/index.ts`, `${ZONED}/assembly/zones.ts`],
    manifest: `${ZONED}/manifest.json`,
    arguments: ["512K", "zone-size=64K", "conventional=1"],
  },
} satisfies Record<string, { sources: string[]; manifest: string; arguments: string[] }>;

export type SubjectName = keyof typeof SUBJECTS;

/** The plugin file of a subject with edits in its source and keys of its manifest replaced. */
export async function compileSubject(
  name: SubjectName,
  edits: readonly Edit[] = [],
  manifest: Record<string, unknown> = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const { sources, manifest: manifestPath } = SUBJECTS[name];
  checkEdits(sources, edits);
  let module = new Uint8Array();
  const result = await asc.main([sources[0]!, ...FLAGS, "--outFile", "out.wasm"], {
    readFile: (path) => {
      const text = readText(path);
      return text !== null && sources.includes(path) ? edited(text, edits) : text;
    },
    writeFile: (_name, contents) => void (module = new Uint8Array(contents as Uint8Array)),
    listFiles: () => [],
  });
  if (result.error || module.length === 0) {
    throw new Error(`cannot compile ${name}: ${result.error}\n${result.stderr}`);
  }
  const json = JSON.parse(readText(manifestPath)!);
  return writeManifest(module, JSON.stringify({ ...json, ...manifest }));
}

/** What the kit says about a subject with a fault in it; null: without any. */
export async function checkSubject(
  name: SubjectName,
  fault: Fault | null,
  watches: readonly Watch[],
): Promise<CheckReport> {
  const bytes = await compileSubject(name, fault?.edits ?? [], fault?.manifest ?? {});
  // Looking for one fault with all the others' checks would take longer and say nothing.
  const skip = fault === null
    ? []
    : CHECKS.map((check) => check.name).filter((one) => one !== "start" && one !== fault.found);
  return await checkModule(name, bytes, skip, watches);
}

/** What the kit says about `bytes`, a subject, but for the checks that are to be skipped. */
export async function checkModule(
  name: SubjectName,
  bytes: Uint8Array<ArrayBuffer>,
  skip: string[],
  watches: readonly Watch[],
): Promise<CheckReport> {
  const values = parseParameters(readManifest(bytes).parameters, SUBJECTS[name].arguments);
  return await runChecks({
    bytes,
    values,
    writes: "keep",
    seed: 1,
    operations: 400,
    skip,
    image: null,
    children: null,
    watches,
  });
}

/** Throws Error where there is not exactly one place for an edit. */
function checkEdits(sources: readonly string[], edits: readonly Edit[]): void {
  const texts = sources.map((path) => readText(path)!);
  for (const [find] of edits) {
    const places = texts.reduce((sum, text) => sum + text.split(find).length - 1, 0);
    if (places === 1) continue;
    throw new Error(`cannot put a fault in: "${find}" is not there exactly once`);
  }
}

function edited(text: string, edits: readonly Edit[]): string {
  return edits.reduce((result, [find, replace]) => result.replace(find, () => replace), text);
}

function readText(path: string): string | null {
  try {
    return Deno.readTextFileSync(`${ROOT}${path}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return null;
    }
    throw error;
  }
}
