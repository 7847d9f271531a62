// SPDX-License-Identifier: MIT
// `sandblock detach`: ends attached devices.

import { command } from "../declare/declaration.ts";
import { helpOption } from "./shared_options.ts";

export const detach = command({
  name: "detach",
  summary: "end attached devices",
  description: [
    "Writes out what the page cache holds of a device, ends it, and returns when its process has " +
    "ended. A device that is mounted, or that another device stands on, is not detached.",
  ],
  arguments: [{ name: "DEV", help: "Such as /dev/nbd0", complete: "file" }],
  options: {
    all: {
      long: "all",
      group: "Options",
      help: "Detach all devices that sandblock has attached",
      since: "0.1.0",
    },
    noFlush: {
      long: "no-flush",
      group: "Options",
      help: "Give up what has not been written to the device",
      since: "0.1.0",
    },
    force: {
      long: "force",
      group: "Options",
      help: "Detach it even if it is mounted; its users get errors",
      since: "0.1.0",
    },
    timeout: {
      long: "timeout",
      value: "DURATION",
      group: "Options",
      help: "Fail when it takes longer",
      since: "0.1.0",
    },
    help: helpOption,
  },
  examples: [{ command: "sandblock detach --all --timeout 10s", text: "Before a shutdown:" }],
  async run(values, operands) {
    const { runDetach } = await import("../kernel/detach.ts");
    return await runDetach(values, operands);
  },
});
