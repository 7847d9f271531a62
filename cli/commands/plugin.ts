// SPDX-License-Identifier: MIT
// `sandblock plugin`: the group of commands about plugins as files.

import { command } from "../declare/declaration.ts";
import { helpOption } from "./shared_options.ts";
import { pluginCheck } from "./plugin_check.ts";
import { pluginList } from "./plugin_list.ts";
import { pluginNew } from "./plugin_new.ts";
import { pluginPack } from "./plugin_pack.ts";
import { pluginShow } from "./plugin_show.ts";

export const plugin = command({
  name: "plugin",
  summary: "list, show, check, start and pack plugins",
  description: [
    "A plugin is a WebAssembly module that says what a device does. These commands start new ones, " +
    "check them, and look at those there are.",
  ],
  options: { help: helpOption },
  commands: [pluginNew, pluginCheck, pluginShow, pluginList, pluginPack],
  ownPage: true,
});
