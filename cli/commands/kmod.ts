// SPDX-License-Identifier: MIT
// `sandblock kmod`: the kernel module bdus, whose sources the executable carries.

import { command } from "../declare/declaration.ts";
import { helpOption, jsonOption } from "./shared_options.ts";

const status = command({
  name: "status",
  summary: "say whether the module is there",
  description: [
    "Says whether the module is loaded and installed, which version this executable carries, and " +
    "what building it needs. The exit status is 2 when it is neither loaded nor installed.",
  ],
  options: { json: jsonOption, help: helpOption },
  async run({ json }) {
    const { runKmodStatus } = await import("../kernel/kmod.ts");
    return runKmodStatus(json ?? false);
  },
});

const build = command({
  name: "build",
  summary: "build the module for the running kernel",
  description: [
    "Writes the sources to DIRECTORY, which must not exist, runs make there, and prints the path of " +
    "the module. Needs make, gcc and the headers of the running kernel.",
  ],
  arguments: [{
    name: "DIRECTORY",
    help: "Where to build; a new directory",
    required: true,
    complete: "file",
  }],
  options: { help: helpOption },
  async run(_, [folder]) {
    const { runKmodBuild } = await import("../kernel/kmod.ts");
    return await runKmodBuild(folder!);
  },
});

const install = command({
  name: "install",
  summary: "build the module and install it",
  description: [
    "Installs the module with DKMS where that is there, so that new kernels get it as well, and " +
    "otherwise with make for the running kernel. Only root may.",
  ],
  options: { help: helpOption },
  async run() {
    const { runKmodInstall } = await import("../kernel/kmod.ts");
    return await runKmodInstall();
  },
});

export const kmod = command({
  name: "kmod",
  summary: "build and install the kernel module bdus",
  description: [
    "The module bdus is sandblock's own way into the kernel: devices /dev/bdus-N for kernels that " +
    "have no ublk, and for programs that were written for BDUS. It is under the GPL, version 2; its " +
    "sources are in this executable.",
  ],
  options: { help: helpOption },
  commands: [status, build, install],
});
