// SPDX-License-Identifier: MIT
// Runs all tests in order and says what came of them. Fails when anything failed or did not run.
//   deno task test [--only STAGE]...

import { CHOICE_VARIABLE, SMOKE_VARIABLE } from "./kernel/chosen.ts";
import type { KernelVersion } from "./kernel/kernels.ts";
import { prepareGuests } from "./kernel/main.ts";
import { installPeers, installTools, newerPeers, unpackNewerPeers } from "./peers.ts";
import { type Outcome, runStage, type Stage } from "./stages/stage.ts";

const UNIT_FOLDERS = [
  "core",
  "native",
  "cli",
  "wasm-plugins",
  "tests/bench",
  "tests/fuzz",
  "tests/stages",
];

const STAGES: Stage[] = [
  {
    name: "static",
    timeLimitMinutes: 4,
    steps: [
      { deno: ["fmt", "--check", "--quiet"] },
      { deno: ["lint", "--quiet"] },
      { deno: ["check", "--quiet", "--frozen", "."] },
    ],
  },
  {
    name: "build",
    timeLimitMinutes: 4,
    needed: true,
    steps: [{ deno: ["run", "-A", "build.ts"] }],
  },
  {
    name: "unit",
    timeLimitMinutes: 12,
    folders: UNIT_FOLDERS,
    prepare: installTools,
    steps: [{ deno: ["test", "-A", "--doc", ...UNIT_FOLDERS], tests: true, mayIgnore: true }],
  },
  {
    name: "tour",
    timeLimitMinutes: 1,
    steps: [{ deno: ["run", "-A", "tests/tour.ts"] }],
  },
  crossing("conformance", 8),
  crossing("sdk", 20),
  { ...crossing("interop", 10), prepare: preparePeers },
  crossing("faults", 8),
  { ...crossing("kernel", 15), prepare: prepareKernels },
  {
    name: "fuzz",
    timeLimitMinutes: 5,
    steps: [{ deno: ["run", "-A", "tests/fuzz/main.ts"] }],
  },
];

/** Tests that cross modules: all of them against dist/sandblock. */
function crossing(name: string, timeLimitMinutes: number): Stage {
  const folder = `tests/${name}`;
  return {
    name,
    timeLimitMinutes,
    folders: [folder],
    steps: [{ deno: ["test", "-A", folder], tests: true }],
  };
}

async function preparePeers(): Promise<void> {
  await installPeers();
  await unpackNewerPeers();
  Deno.env.set("SANDBLOCK_PEERS", newerPeers());
}

/** What CI tests in guests; `deno task test:kernel` knows more kernels. */
const CI_KERNELS: readonly KernelVersion[] = ["6.1", "6.12"];

async function prepareKernels(): Promise<void> {
  await prepareGuests(CI_KERNELS);
  Deno.env.set(CHOICE_VARIABLE, CI_KERNELS.join(","));
  Deno.env.set(SMOKE_VARIABLE, "1");
}

async function main(args: string[]): Promise<number> {
  const stages = chosenStages(args);
  const outcomes: Outcome[] = [];
  let missing: string | null = null;
  for (const stage of stages) {
    console.log(`\n== ${stage.name}`);
    const { name } = stage;
    const outcome = missing === null
      ? await runStage(stage)
      : { name, ok: false, words: `not run, because ${missing} failed`, seconds: 0 };
    if (!outcome.ok) console.error(`${name}: ${outcome.words}`);
    if (!outcome.ok && stage.needed) missing ??= name;
    outcomes.push(outcome);
  }
  printSummary(outcomes);
  return outcomes.every(({ ok }) => ok) ? 0 : 1;
}

/** The stages that `--only` names, in their own order; all without it. Throws Error. */
function chosenStages(args: string[]): Stage[] {
  const names = STAGES.map(({ name }) => name);
  const only: string[] = [];
  for (let at = 0; at < args.length; at += 2) {
    const name = args[at + 1] ?? "";
    if (args[at] !== "--only" || !names.includes(name)) {
      throw new Error(`cannot use "${args.slice(at).join(" ")}"; use --only ${names.join("|")}`);
    }
    only.push(name);
  }
  return only.length === 0 ? STAGES : STAGES.filter(({ name }) => only.includes(name));
}

function printSummary(outcomes: Outcome[]): void {
  console.log("");
  for (const { name, ok, words, seconds } of outcomes) {
    const time = `${seconds.toFixed(0)} s`.padStart(6);
    console.log(`${ok ? "ok    " : "FAILED"} ${name.padEnd(12)}${time}  ${words}`.trimEnd());
  }
}

try {
  Deno.exit(await main(Deno.args));
} catch (error) {
  console.error(`test: error: ${(error as Error).message}`);
  Deno.exit(1);
}
