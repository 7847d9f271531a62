// SPDX-License-Identifier: MIT
// `sandblock policy show`: the compiled form of a policy, for reading or as a module.

import { command } from "../declare/declaration.ts";
import { policyArgument } from "../policy/argument.ts";
import { helpOption } from "./shared_options.ts";

export const policyShow = command({
  name: "show",
  summary: "show the compiled form of a policy",
  description: [
    "Shows what FILE is compiled to: the conditions that are decided once for each client, and for " +
    "each command the tests that are left for each request, in order, with their verdicts.",
  ],
  arguments: [policyArgument],
  options: {
    code: {
      long: "code",
      group: "Options",
      help: "List the instructions as well",
      since: "0.1.0",
    },
    output: {
      short: "o",
      long: "output",
      value: "MODULE",
      group: "Options",
      help: "Write the module, which is a policy itself, to a file",
      complete: "file",
      since: "0.1.0",
    },
    help: helpOption,
  },
  examples: [{
    command: "sandblock policy show rules.policy -o rules.wasm",
    text: "Compile a policy to a module:",
  }],
  async run({ code, output }, [path]) {
    const { showPolicyFile } = await import("../policy/show.ts");
    showPolicyFile(path!, code ?? false, output);
    return 0;
  },
});
