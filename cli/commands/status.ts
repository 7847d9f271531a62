// SPDX-License-Identifier: MIT
// `sandblock status`: everything about one attached device.

import { command } from "../declare/declaration.ts";
import { helpOption, jsonOption } from "./shared_options.ts";

export const status = command({
  name: "status",
  summary: "show an attached device",
  description: [
    "Shows what a device is made of, who serves it, and what the kernel has counted. The exit status " +
    "is 0 when a process serves it and 2 when none does.",
  ],
  arguments: [{ name: "DEV", help: "Such as /dev/nbd0", required: true, complete: "file" }],
  options: { json: jsonOption, help: helpOption },
  async run({ json }, [device]) {
    const { runStatus } = await import("../kernel/view.ts");
    return await runStatus(device!, json ?? false);
  },
});
