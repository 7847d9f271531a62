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
    "In place of a plugin there may be one NBD URI or several, of servers that have the same export. The " +
    "kernel then talks to the first one that can be reached, and to another one when it is lost; a " +
    "process in the background sees to that.",
    "Only root may attach, or, through ublk, who a rule of udev allows it. When the process is told to stop (SIGTERM) it writes out what the page " +
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
      command: "sandblock attach nbd://a.example/disk nbd://b.example/disk",
      text: "Attach what one of two servers has:",
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
    // The process in the background inherits that, for all of its threads.
    if (plan.writeback) await prepareForWriteback(plan.foreground);
    if (!plan.foreground && !isInBackground()) return await startInBackground();
    if (plan.swap) (await import("../../native/lock_memory.ts")).lockMemory();
    // Threads take over what was set up here.
    if (plan.remote === null) startWorkerAhead();
    const { runAttach } = await import("../kernel/attach.ts");
    return await runAttach(plan);
  },
});

/** Set once that was done, and the program started anew. */
const PREPARED = "SANDBLOCK_WRITES_BACK";

/** In the foreground, threads that exist already are exchanged by starting the program anew. */
async function prepareForWriteback(isForeground: boolean): Promise<void> {
  if (Deno.env.get(PREPARED) === "1") return;
  const writeback = await import("../../native/writeback.ts");
  writeback.prepareForWriteback();
  if (!isForeground) return;
  const { ownCommand } = await import("../serve/background.ts");
  const { replaceProgram } = await import("../../native/process.ts");
  const { userEnvironment } = await import("../../native/user_environment.ts");
  replaceProgram([...ownCommand(), ...Deno.args], { ...userEnvironment(), [PREPARED]: "1" });
}
