// SPDX-License-Identifier: MIT
// The manual pages as files, for build.ts to write.

import { root } from "./commands/root.ts";
import { roff } from "./declare/roff.ts";
import { manualPages } from "./manual.ts";
import { pluginManual } from "./plugin_manuals.ts";
import { findPlugin, knownNames } from "./plugins.ts";

/** Files of section 1: `name` as `sandblock-serve.1`, `text` as roff source. */
export function manPages(): { name: string; text: string }[] {
  const plugins = knownNames().map((name) => findPlugin(name).manifest);
  return manualPages(root, plugins, pluginManual).map((page) => ({
    name: `${page.name}.1`,
    text: roff(page),
  }));
}
