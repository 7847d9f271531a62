// SPDX-License-Identifier: MIT
// `sandblock completion`: prints the completion script of a shell.

import { bashScript } from "../completion/bash.ts";
import { fishScript } from "../completion/fish.ts";
import { completionModel } from "../completion/model.ts";
import { zshScript } from "../completion/zsh.ts";
import { didYouMean } from "../../core/plugin/suggest.ts";
import { command } from "../declare/declaration.ts";
import { UsageError } from "../errors.ts";
import { print } from "../output.ts";
import { findPlugin, knownNames } from "../plugins.ts";
import { helpOption } from "./shared_options.ts";

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;
const SHELLS = Object.keys(SCRIPTS);

export const completion = command({
  name: "completion",
  summary: "print the completion script of a shell",
  description: [
    "Prints a script that lets a shell complete commands, options, plugins and their parameters.",
  ],
  arguments: [{ name: "SHELL", help: "bash, zsh or fish", required: true, complete: SHELLS }],
  options: { help: helpOption },
  examples: [
    { command: `source <(sandblock completion bash)`, text: "Complete in this bash:" },
    {
      command: "sandblock completion zsh > ~/.zfunc/_sandblock",
      text: "Complete in zsh, where ~/.zfunc is in $fpath:",
    },
    {
      command: "sandblock completion fish > ~/.config/fish/completions/sandblock.fish",
      text: "Complete in fish:",
    },
  ],
  run(_values, [shell], root) {
    const script = Object.entries(SCRIPTS).find(([name]) => name === shell)?.[1];
    if (!script) {
      throw new UsageError(
        `cannot complete in "${shell}": the shells are ${SHELLS.join(", ")}` +
          didYouMean(shell!, SHELLS),
        "sandblock completion --help",
      );
    }
    const plugins = knownNames().map((name) => findPlugin(name).manifest);
    print(script(completionModel(root, plugins)));
    return 0;
  },
});
