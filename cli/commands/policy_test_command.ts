// SPDX-License-Identifier: MIT
// `sandblock policy test`: does a policy decide as a table of cases expects?

import { command } from "../declare/declaration.ts";
import { policyArgument } from "../policy/argument.ts";
import { helpOption } from "./shared_options.ts";

export const policyTest = command({
  name: "test",
  summary: "run a table of requests through a policy",
  description: [
    "Asks the policy in FILE about each request in CASES, a YAML file, and compares what it decides " +
    "with what the case expects. Each difference is printed; the exit status is 1 if there is one.",
    "CASES has a list called cases. A case has request, such as write 4K at 1G, or flush; expect, " +
    "which is allow, kill, or errno and the name of an error; and where it matters name, flags (a " +
    "list), export, peer as log lines write it (tcp:192.0.2.1:4000, unix:pid=1,uid=0,gid=0), tls " +
    "(an identity), time as mon 22:30, line (of the rule or default that decides) and logs (lines " +
    "of the rules that log). What is under defaults holds for every case that does not say " +
    "otherwise.",
  ],
  arguments: [
    policyArgument,
    { name: "CASES", help: "Requests and what is expected", required: true, complete: "file" },
  ],
  options: { help: helpOption },
  examples: [{
    command: "sandblock policy test rules.policy cases.yaml",
    text: "Does the policy still do what it should?",
  }],
  async run(_, [path, cases]) {
    // Loads the compiler and a parser of YAML, which other commands have no use for.
    const { testPolicyFile } = await import("../policy/test_table.ts");
    return testPolicyFile(path!, cases!);
  },
});
