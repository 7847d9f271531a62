// SPDX-License-Identifier: MIT
// `sandblock policy`: the group of commands about request policies.

import { command } from "../declare/declaration.ts";
import { policyCheck } from "./policy_check.ts";
import { policyShow } from "./policy_show.ts";
import { policyTest } from "./policy_test_command.ts";
import { helpOption } from "./shared_options.ts";

export const policy = command({
  name: "policy",
  summary: "check, test and show request policies",
  description: [
    "A policy is a list of rules about which requests a client may make, and what happens to the " +
    'others. "serve --policy FILE" asks it about each request before the device sees it.',
    "Each rule is a line: an action (allow, errno NAME, log, kill), commands, and a condition after " +
    "if. The first rule that is about a request decides; log only writes a line and goes on. " +
    "Where no rule decides, the default does, which every policy has to state.",
  ],
  options: { help: helpOption },
  commands: [policyCheck, policyTest, policyShow],
  ownPage: true,
  sections: [{
    title: "Example",
    paragraphs: [
      "default errno EPERM",
      "let scratch = 1G..2G",
      "allow read, flush, block-status",
      "allow write, trim, write-zeroes if range in $scratch and peer.uid == 1000",
      "log write, trim, write-zeroes",
    ],
  }],
});
