// SPDX-License-Identifier: MIT
// `sandblock man`: the manual that travels inside of the executable.

import { didYouMean } from "../../core/plugin/suggest.ts";
import { userEnvironment } from "../../native/user_environment.ts";
import { type Command, command } from "../declare/declaration.ts";
import type { Page } from "../declare/page.ts";
import { plain } from "../declare/plain.ts";
import { roff } from "../declare/roff.ts";
import { UsageError } from "../errors.ts";
import { manualPages, pluginPage } from "../manual.ts";
import { print } from "../output.ts";
import { pluginManual } from "../plugin_manuals.ts";
import { findPlugin, knownNames } from "../plugins.ts";
import { helpOption } from "./shared_options.ts";

export const man = command({
  name: "man",
  summary: "show the manual",
  description: [
    "Shows the manual page of sandblock, of a command, of a plugin or of a filter. Of a plugin in a file it says " +
    "what its manifest tells. On a terminal man(1) shows it, or it is printed as text where there is no man(1); otherwise its roff source is printed.",
  ],
  arguments: [{
    name: "TOPIC",
    help: "Name of a command, plugin or filter, or path of a .wasm file",
    complete: ["serve", "plugin"],
  }],
  options: { help: helpOption },
  examples: [
    { command: "sandblock man serve | man -l -", text: "Read a page in another way:" },
  ],
  async run(_values, [topic], root) {
    const page = topic !== undefined && isPath(topic)
      ? pluginPage(findPlugin(topic).manifest, null, topic)
      : carriedPage(topic, root);
    if (!Deno.stdout.isTerminal()) print(roff(page));
    else if (!await showWithMan(page)) print(plain(page));
    return 0;
  },
});

function isPath(topic: string): boolean {
  return topic.includes("/") || topic.endsWith(".wasm");
}

/** The page about `topic` that the executable brings along. Throws UsageError. */
function carriedPage(topic: string | undefined, root: Command): Page {
  const plugins = knownNames().map((name) => findPlugin(name).manifest);
  const pages = manualPages(root, plugins, pluginManual);
  // Small commands are described on the page of the whole.
  const isSmall = root.commands!.some(({ name, ownPage }) => name === topic && !ownPage);
  return findPage(pages, isSmall ? undefined : topic);
}

function findPage(pages: readonly Page[], topic: string | undefined): Page {
  const wanted = ["sandblock", ...topic === undefined ? [] : [topic]].join("-");
  const names = [wanted, `${wanted}-plugin`, `${wanted}-filter`, topic];
  const page = pages.find((page) => names.includes(page.name));
  if (page) return page;
  const topics = pages.map(({ name }) => name.replace(/^sandblock-?|-(plugin|filter)$/g, ""))
    .filter((name) => name !== "");
  const right = didYouMean(topic!, topics) ||
    '; there is one for each name of "sandblock plugin list", and for serve, attach, plugin, policy, ' +
      "config and graph";
  throw new UsageError(
    `cannot show the manual of "${topic}": there is no such page${right}`,
    "sandblock man --help",
  );
}

/** Whether man(1) was there to show it. */
async function showWithMan(page: Page): Promise<boolean> {
  try {
    const child = new Deno.Command("man", {
      args: ["-l", "-"],
      stdin: "piped",
      clearEnv: true,
      env: userEnvironment(),
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(roff(page)));
    await writer.close();
    return (await child.status).success;
  } catch {
    return false;
  }
}
