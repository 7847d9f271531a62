// SPDX-License-Identifier: MIT
// `sandblock policy check`: is this a policy, and what does it do?

import { command } from "../declare/declaration.ts";
import { policyArgument } from "../policy/argument.ts";
import { helpOption } from "./shared_options.ts";

export const policyCheck = command({
  name: "check",
  summary: "check a policy and explain what it does",
  description: [
    "Checks the rules in FILE, or the module, as serving with it would, and explains for each " +
    "command what happens to it. What is wrong is told line by line on standard error, with exit " +
    "status 1; so are warnings about rules that are never reached and tests that say nothing, " +
    "with exit status 0 unless --strict is given.",
  ],
  arguments: [policyArgument],
  options: {
    strict: {
      long: "strict",
      group: "Options",
      help: "Take warnings for errors",
      since: "0.1.0",
    },
    help: helpOption,
  },
  examples: [{ command: "sandblock policy check rules.policy", text: "What does this policy do?" }],
  async run({ strict }, [path]) {
    // Loads the compiler, which other commands have no use for.
    const { checkPolicyFile } = await import("../policy/check.ts");
    return checkPolicyFile(path!, strict ?? false);
  },
});
