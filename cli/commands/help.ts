// SPDX-License-Identifier: MIT
// `sandblock help`: the same as --help, for those who type it the other way round.

import { didYouMean } from "../../core/plugin/suggest.ts";
import { command, findCommand } from "../declare/declaration.ts";
import { helpText } from "../declare/help.ts";
import { UsageError } from "../errors.ts";
import { print } from "../output.ts";
import { helpOption } from "./shared_options.ts";

export const help = command({
  name: "help",
  summary: "show help on a command",
  description: ["Shows what --help of the command shows."],
  arguments: [{ name: "COMMAND", help: "Name of a command", variadic: true }],
  options: { help: helpOption },
  run(_values, names, root) {
    if (!findCommand(root, names)) {
      const typed = names.join(" ");
      const known = (root.commands ?? []).map(({ name }) => name);
      throw new UsageError(
        `cannot help on "${typed}": there is no such command${didYouMean(typed, known)}`,
        `${root.name} --help`,
      );
    }
    print(helpText(root, [root.name, ...names].join(" ")));
    return 0;
  },
});
