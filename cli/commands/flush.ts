// SPDX-License-Identifier: MIT
// `sandblock flush`: puts what was written to a device in a safe place.

import { command } from "../declare/declaration.ts";
import { helpOption } from "./shared_options.ts";

export const flush = command({
  name: "flush",
  summary: "write out what is cached of an attached device",
  description: [
    "Writes out what the page cache holds of a device and has the device flush: afterwards everything " +
    "that was written before is where a crash does not reach it.",
  ],
  arguments: [{ name: "DEV", help: "Such as /dev/nbd0", required: true, complete: "file" }],
  options: { help: helpOption },
  async run(_, [device]) {
    const { runFlush } = await import("../kernel/flush.ts");
    return await runFlush(device!);
  },
});
