// SPDX-License-Identifier: MIT
// A correct plugin and a correct filter (subjects/), compiled with faults in them, and what the
// conformance kit says about them.

import asc from "assemblyscript/asc";
import { CHECKS } from "../../core/check/checks.ts";
import type { CheckReport } from "../../core/check/report.ts";
import { runChecks } from "../../core/check/run.ts";
import { readManifest, writeManifest } from "../../core/plugin/manifest.ts";
import { parseParameters } from "../../core/plugin/parameters.ts";
import type { Watch } from "../../core/plugin/watch.ts";
import type { Edit, Fault } from "./faults.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const SUBJECTS = "tests/sdk/subjects";
/** Fast to compile; what it makes is fast enough. */
const FLAGS = ["--optimizeLevel", "0", "--noAssert", "--runtime", "minimal", "--use", "abort="];
const ARGUMENTS = { disk: ["1M"], filter: [] };

export type SubjectName = keyof typeof ARGUMENTS;

/** The plugin file of a subject with edits in its source and keys of its manifest replaced. */
export async function compileSubject(
  name: SubjectName,
  edits: readonly Edit[] = [],
  manifest: Record<string, unknown> = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const source = `${SUBJECTS}/assembly/${name}.ts`;
  let module = new Uint8Array();
  const result = await asc.main([source, ...FLAGS, "--outFile", "out.wasm"], {
    readFile: (path) => {
      const text = readText(path);
      return path === source ? edited(text!, edits) : text;
    },
    writeFile: (_name, contents) => void (module = new Uint8Array(contents as Uint8Array)),
    listFiles: () => [],
  });
  if (result.error || module.length === 0) {
    throw new Error(`cannot compile ${name}: ${result.error}\n${result.stderr}`);
  }
  const json = JSON.parse(readText(`${SUBJECTS}/${name}.json`)!);
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
  const values = parseParameters(readManifest(bytes).parameters, ARGUMENTS[name]);
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

function edited(text: string, edits: readonly Edit[]): string {
  let result = text;
  for (const [find, replace] of edits) {
    if (result.split(find).length !== 2) {
      throw new Error(`cannot put a fault in: "${find}" is not there exactly once`);
    }
    result = result.replace(find, () => replace);
  }
  return result;
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
