// SPDX-License-Identifier: MIT
// `sandblock plugin check`: does a plugin do what the ABI asks for, at every boundary?

import { command } from "../declare/declaration.ts";
import { serveOptions } from "../serve/options.ts";
import { helpOption, jsonOption } from "./shared_options.ts";

export const pluginCheck = command({
  name: "check",
  summary: "check that a plugin does what it should",
  description: [
    "Runs PLUGIN with the given parameters and makes requests of all kinds to it: at every boundary, " +
    "with every flag, through several handles, at random, many at once, with little memory. What it " +
    "answers is compared with a model. A filter stands on model devices that answer at once or " +
    "late, fail, or can do little. Prints a line for each check, and the first fault that it found; " +
    "the exit status is 1 if there is one.",
    "The device is written to if it can be. Everything is the same in each run with the same seed.",
  ],
  arguments: [
    {
      name: "PLUGIN",
      help: "Name of a bundled plugin, or path of a .wasm file",
      required: true,
      complete: "plugin",
    },
    { name: "KEY=VALUE", help: "Parameters of the plugin", variadic: true, complete: "parameters" },
  ],
  options: {
    writes: {
      long: "writes",
      value: "EFFECT",
      group: "Options",
      help: "What writes do: keep, drop or same",
      details:
        "With drop they succeed and change nothing, as those of null do. With same only bytes " +
        "that are there already may be written, as with pattern.",
      default: "keep",
      complete: ["keep", "drop", "same"],
      since: "0.1.0",
    },
    skip: {
      long: "skip",
      value: "CHECK",
      repeated: true,
      group: "Options",
      help: "Leave out a check, by the name that the report gives",
      since: "0.1.0",
    },
    operations: {
      long: "operations",
      value: "NUMBER",
      group: "Options",
      help: "Random operations of each check that makes some",
      default: "400",
      since: "0.1.0",
    },
    seed: {
      long: "seed",
      value: "NUMBER",
      group: "Options",
      help: "Where random numbers begin",
      default: "1",
      since: "0.1.0",
    },
    image: {
      long: "image",
      value: "FILE",
      group: "Options",
      help: "What the devices below a filter hold",
      details: "For filters that cannot stand on random bytes. The file itself is not changed.",
      default: "1 MiB of random bytes and holes",
      complete: "file",
      since: "0.1.0",
    },
    children: {
      long: "children",
      value: "NUMBER",
      group: "Options",
      help: "Devices below a filter",
      details: "The default is as few as it takes, but two where it takes two.",
      since: "0.1.0",
    },
    allow: { ...serveOptions.allow, group: "Options" },
    timeout: {
      long: "plugin-timeout",
      value: "SECONDS",
      group: "Options",
      help: "One call into the plugin may take so long",
      default: "5",
      since: "0.1.0",
    },
    json: jsonOption,
    help: helpOption,
  },
  examples: [
    {
      command: "sandblock plugin check ./my-disk.wasm size=1M",
      text: "Is this plugin what it says?",
    },
    {
      command: "sandblock plugin check ./my-filter.wasm key=7 --seed=42 --operations=100000",
      text: "Look at a filter for longer, and elsewhere:",
    },
  ],
  async run(options, [plugin, ...parameters]) {
    // Loads the checks, which other commands have no use for.
    const { checkCommand } = await import("../check_plugin.ts");
    return await checkCommand(plugin!, parameters, options);
  },
});
