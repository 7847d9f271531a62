// SPDX-License-Identifier: MIT
// `sandblock`: the command that all others are below of.

import { command } from "../declare/declaration.ts";
import { attach } from "./attach.ts";
import { completion } from "./completion.ts";
import { config } from "./config.ts";
import { detach } from "./detach.ts";
import { doctor } from "./doctor.ts";
import { flush } from "./flush.ts";
import { graph } from "./graph.ts";
import { help } from "./help.ts";
import { kmod } from "./kmod.ts";
import { list } from "./list.ts";
import { man } from "./man.ts";
import { plugin } from "./plugin.ts";
import { policy } from "./policy.ts";
import { resize } from "./resize.ts";
import { serve } from "./serve.ts";
import { helpOption } from "./shared_options.ts";
import { status } from "./status.ts";
import { print } from "../output.ts";
import { VERSION } from "../version.ts";

export const root = command({
  name: "sandblock",
  summary: "block devices from sandboxed plugins",
  description: [
    "Serves block devices over NBD, the network block device protocol. What a device does comes " +
    "from a plugin: a WebAssembly module that can touch nothing but its own memory.",
    "The exit status is 0 on success and 1 after an error or wrong usage, which one line on " +
    "standard error explains.",
  ],
  options: {
    version: {
      short: "V",
      long: "version",
      group: "Options",
      help: "Print the version",
      since: "0.1.0",
    },
    help: helpOption,
  },
  commands: [
    serve,
    attach,
    detach,
    list,
    status,
    resize,
    flush,
    doctor,
    kmod,
    plugin,
    policy,
    config,
    graph,
    completion,
    man,
    help,
  ],
  examples: [
    { command: "sandblock serve memory 1G", text: "Serve a disk in memory on port 10809:" },
    {
      command: `sandblock serve pattern 1G --run 'nbdinfo "$uri"'`,
      text: "Serve a disk for as long as another command runs, and on no port:",
    },
  ],
  ownPage: true,
  run({ version }) {
    if (!version) return -1;
    print(`sandblock ${VERSION}\n`);
    return 0;
  },
});
