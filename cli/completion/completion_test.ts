// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { root } from "../commands/root.ts";
import { assertGolden } from "../testing/golden.ts";
import { installed, run } from "../testing/run.ts";
import { samplePlugins } from "../testing/sample_plugins.ts";
import { bashScript } from "./bash.ts";
import { fishScript } from "./fish.ts";
import { completionModel } from "./model.ts";
import { zshScript } from "./zsh.ts";

const model = completionModel(root, samplePlugins);
const scripts = { bash: bashScript(model), zsh: zshScript(model), fish: fishScript(model) };

for (const [shell, script] of Object.entries(scripts)) {
  Deno.test(`the script for ${shell} is what the golden file holds`, () => {
    assertGolden(`completion.${shell}`, script);
  });

  Deno.test(`${shell} can parse its script`, { ignore: !installed(shell) }, async () => {
    const file = await Deno.makeTempFile();
    await Deno.writeTextFile(file, script);
    assert.deepEqual(await run(shell, ["-n", file]), { code: 0, stdout: "", stderr: "" });
    await Deno.remove(file);
  });
}

/** Lines before the cursor, and what is offered there. */
const CASES: readonly (readonly [string, readonly string[]])[] = [
  ["sandblock ", root.commands!.map(({ name }) => name).sort()],
  ["sandblock se", ["serve"]],
  ["sandblock policy ", ["check", "show", "test"]],
  ["sandblock plugin ", ["check", "list", "new", "pack", "show"]],
  ["sandblock plugin show d", ["disk"]],
  ["sandblock serve ", ["disk", "heap", "nothing", "sieve"]],
  ["sandblock serve -p 5 -r n", ["nothing"]],
  ["sandblock serve disk ", ["level=", "mode=", "seed=", "size=", "tag="]],
  ["sandblock serve -U x disk 1M le", ["level="]],
  ["sandblock serve nothing ", []],
  ["sandblock serve --fd-re", ["--fd-replies"]],
  ["sandblock serve --busy-poll ", ["auto", "off"]],
  ["sandblock serve --busy-poll=a", ["auto"]],
  ["sandblock serve -p ", []],
  ["sandblock completion z", ["zsh"]],
];

Deno.test("bash offers what may stand at the cursor", async () => {
  const script = `${scripts.bash}
compopt() { :; }
while IFS= read -r COMP_LINE; do
  COMP_POINT=\${#COMP_LINE}
  _sandblock
  echo "\${COMPREPLY[*]}"
done`;
  await compare("bash", ["-c", script], (line) => line.split(" "));
});

Deno.test("fish offers what may stand at the cursor", { ignore: !installed("fish") }, async () => {
  const script = `${scripts.fish}
while read -l line
    echo (complete -C $line | string replace -r '\\t.*' '')
end`;
  await compare("fish", ["--no-config", "-c", script], (line) => line.split(" "));
});

/** Runs all cases in one shell, which reads lines and prints a line of answers for each. */
async function compare(shell: string, args: string[], split: (line: string) => string[]) {
  const directory = await Deno.makeTempDir();
  const child = new Deno.Command(shell, {
    args,
    cwd: directory,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(CASES.map(([line]) => `${line}\n`).join("")));
  await writer.close();
  const { stdout, stderr } = await child.output();
  await Deno.remove(directory);
  const text = new TextDecoder();
  assert.equal(text.decode(stderr), "");
  const lines = text.decode(stdout).split("\n");
  // Shells differ in whether an answer repeats the option and its =.
  const bare = (word: string) => word.replace(/^--[a-z-]+=(?=.)/, "").replace(/^(--.*)=$/, "$1");
  const found = CASES.map((
    [line],
    i,
  ) => [line, split(lines[i] ?? "").map(bare).filter(Boolean).sort()]);
  assert.deepEqual(found, CASES.map(([line, answers]) => [line, [...answers]]));
}
