// SPDX-License-Identifier: MIT
// `sandblock attach`: makes a block device of this machine.

import { startWorkerAhead } from "../../core/control/reactor_worker.ts";
import { command } from "../declare/declaration.ts";
import { attachOptions } from "../kernel/attach_options.ts";

export const attach = command({
  name: "attach",
  summary: "make a device a block device of this machine",
  description: [
    "Makes the device that PLUGIN makes a block device of this machine, prints its name, such as " +
    "/dev/nbd0, and returns when it can be used. A process in the background serves it until it is " +
    'detached. PLUGIN, its parameters and --filter are those of "sandblock serve".',
    "Only root may attach. When the process is told to stop (SIGTERM) it writes out what the page " +
    "cache holds and ends the device. When it dies otherwise, the device stays: requests wait until " +
    "attach --recover takes it over, or until it is detached.",
  ],
  arguments: [
    {
      name: "PLUGIN",
      help: 'What to attach; "sandblock plugin list" lists what comes with it',
      required: true,
      complete: "plugin",
    },
    {
      name: "KEY=VALUE",
      help: "Parameters and brackets, as for serve",
      variadic: true,
      complete: "parameters",
    },
  ],
  options: attachOptions,
  ownPage: true,
  examples: [
    { command: "sandblock attach memory 1G", text: "A disk in memory:" },
    {
      command: "mount $(sandblock attach --filter cow file disk.img) /mnt",
      text: "Mount an image and keep what is written out of it:",
    },
    {
      command: "sandblock attach --recover /dev/nbd0 file disk.img",
      text: "Go on serving a device whose process was killed:",
    },
  ],
  sections: [{
    title: "Files",
    paragraphs: [
      "/run/sandblock: for each device a record and the socket by which the other commands reach its " +
      "process. The variable SANDBLOCK_STATE names another directory.",
    ],
  }],
  async run(values, operands) {
    const { planAttach } = await import("../kernel/attach_plan.ts");
    const plan = planAttach(values, operands);
    const { isInBackground, startInBackground } = await import("../serve/background.ts");
    if (!plan.foreground && !isInBackground()) return await startInBackground();
    if (plan.writeback) (await import("../../native/writeback.ts")).prepareForWriteback();
    // Threads take over what was set up here.
    startWorkerAhead();
    const { runAttach } = await import("../kernel/attach.ts");
    return await runAttach(plan);
  },
});
