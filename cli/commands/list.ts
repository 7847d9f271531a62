// SPDX-License-Identifier: MIT
// `sandblock list`: what is attached.

import { command } from "../declare/declaration.ts";
import { helpOption, jsonOption } from "./shared_options.ts";

export const list = command({
  name: "list",
  summary: "list attached devices",
  description: [
    "Lists the devices that sandblock has attached: served ones, and abandoned ones, whose process has " +
    'died and which wait for "sandblock attach --recover" or "sandblock detach". Of one that is gone ' +
    "only the record is left; detach removes it.",
  ],
  options: { json: jsonOption, help: helpOption },
  async run({ json }) {
    const { runList } = await import("../kernel/view.ts");
    return await runList(json ?? false);
  },
});
