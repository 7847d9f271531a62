// SPDX-License-Identifier: MIT
// `sandblock resize`: another size for a device that is in use.

import { command } from "../declare/declaration.ts";
import { helpOption } from "./shared_options.ts";

export const resize = command({
  name: "resize",
  summary: "change the size of an attached device",
  description: [
    "Tells the kernel another size of a device, while it is in use, and prints that size in bytes. " +
    "SIZE is at most what serves the device has; left out, it is all of that: for a file, enlarge the " +
    "file first. A file system on it has to be told as well (resize2fs and the like), and has to be " +
    "made smaller before its device is.",
  ],
  arguments: [
    { name: "DEV", help: "Such as /dev/nbd0", required: true, complete: "file" },
    { name: "SIZE", help: "Such as 2G" },
  ],
  options: { help: helpOption },
  examples: [{
    command: "truncate -s 2G disk.img && sandblock resize /dev/nbd0",
    text: "Enlarge a file and the device made of it:",
  }],
  async run(_, [device, size]) {
    const { runResize } = await import("../kernel/resize.ts");
    return await runResize(device!, size);
  },
});
