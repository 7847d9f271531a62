// SPDX-License-Identifier: MIT
// A stage of the tests: commands run one after the other until one fails, and what came of them.

import { readCounts, type TestCounts } from "./junit.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** One command of a stage: arguments for this Deno. */
export interface Step {
  deno: string[];
  /** Counts tests and, unless `mayIgnore`, fails when one of them is ignored. */
  tests?: boolean;
  mayIgnore?: boolean;
}

/** See the top of this file. */
export interface Stage {
  name: string;
  /** Folders of tests, each of which must hold at least one. */
  folders?: string[];
  /** Something else to do first; throws Error when it cannot be done. */
  prepare?: () => Promise<void>;
  steps: Step[];
  /** Later stages have no meaning when this one fails. */
  needed?: boolean;
  timeLimitMinutes: number;
}

/** What came of a stage. */
export interface Outcome {
  name: string;
  ok: boolean;
  /** One line: the number of tests, or what went wrong. */
  words: string;
  seconds: number;
}

/** Runs a stage, with its output on this terminal. Never throws. */
export async function runStage(stage: Stage): Promise<Outcome> {
  const start = performance.now();
  const outcome = (ok: boolean, words: string) => ({
    name: stage.name,
    ok,
    words,
    seconds: (performance.now() - start) / 1000,
  });
  const total: TestCounts = { tests: 0, failed: 0, ignored: [] };
  try {
    for (const folder of stage.folders ?? []) requireTests(folder);
    await stage.prepare?.();
    const deadline = AbortSignal.timeout(stage.timeLimitMinutes * 60_000);
    for (const step of stage.steps) await runStep(step, deadline, total);
    return outcome(true, describe(total));
  } catch (error) {
    return outcome(false, (error as Error).message);
  }
}

async function runStep(step: Step, deadline: AbortSignal, total: TestCounts): Promise<void> {
  const report = step.tests ? await Deno.makeTempFile({ suffix: ".xml" }) : null;
  const args = report === null ? step.deno : [...step.deno, `--junit-path=${report}`];
  const { code, signal } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
    signal: deadline,
  }).spawn().status;
  const words = `deno ${step.deno.join(" ")}`;
  if (deadline.aborted) throw new Error(`${words}: ended because it took too long`);
  const ending = `${words}: ended with ${signal ?? code}`;
  if (report !== null) {
    const xml = await Deno.readTextFile(report);
    await Deno.remove(report);
    // A crash leaves no report.
    if (xml === "") throw new Error(ending);
    const { tests, failed, ignored } = readCounts(xml);
    total.tests += tests;
    total.failed += failed;
    total.ignored.push(...ignored);
    if (failed > 0) throw new Error(`${failed} of ${tests} tests failed`);
    if (ignored.length > 0 && !step.mayIgnore) {
      throw new Error(`${ignored.length} tests did not run: ${ignored.join("; ")}`);
    }
  }
  if (code !== 0) throw new Error(ending);
}

function describe({ tests, ignored }: TestCounts): string {
  if (tests === 0) return "";
  const left = ignored.length === 0 ? "" : `; did not run: ${ignored.join("; ")}`;
  return `${tests - ignored.length} tests${left}`;
}

/** Throws Error unless there is a test below `folder`. */
function requireTests(folder: string): void {
  if (!hasTests(`${ROOT}${folder}`)) throw new Error(`there are no tests in ${folder}`);
}

function hasTests(path: string): boolean {
  try {
    return [...Deno.readDirSync(path)].some(({ name, isDirectory }) =>
      isDirectory ? hasTests(`${path}/${name}`) : name.endsWith("_test.ts")
    );
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
