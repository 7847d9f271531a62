// SPDX-License-Identifier: MIT
// All manual pages: one per command that has its own, one per plugin that has a name.

import type { Manifest } from "../core/plugin/manifest.ts";
import { parameterTerm, parameterText } from "./describe.ts";
import { type Command } from "./declare/declaration.ts";
import { type Block, commandPage, type Page } from "./declare/page.ts";

/** The manual pages of the commands below `root` and of `plugins`. */
export function manualPages(root: Command, plugins: readonly Manifest[]): Page[] {
  const commands = [...commandsWithPage(root, root.name)];
  const names = [
    ...commands.map(({ path }) => path.replaceAll(" ", "-")),
    ...plugins.map(pluginPageName),
  ];
  const others = (own: string) => names.filter((name) => name !== own);
  return [
    ...commands.map(({ path, command }) =>
      commandPage(path, command, others(path.replaceAll(" ", "-")))
    ),
    ...plugins.map((manifest) => pluginPage(manifest)),
  ];
}

function* commandsWithPage(
  command: Command,
  path: string,
): Generator<{ path: string; command: Command }> {
  if (command.ownPage) yield { path, command };
  for (const child of command.commands ?? []) {
    yield* commandsWithPage(child, `${path} ${child.name}`);
  }
}

function pluginPageName({ name }: Manifest): string {
  return `sandblock-${name}-plugin`;
}

function pluginPage(manifest: Manifest): Page {
  const { name, description, parameters, threads } = manifest;
  const usage = parameters.map((parameter) => {
    const term = parameterTerm(parameter);
    return parameter.required ? term : `[${term}]`;
  });
  const blocks: Block[] = parameters.length === 0 ? ["It takes none."] : [{
    terms: parameters.map((parameter) => {
      return { term: parameterTerm(parameter), blocks: [`${parameterText(parameter)}.`] };
    }),
  }];
  const parallel = threads === "parallel"
    ? "It can be served by several threads (--threads)."
    : "It is served by one thread.";
  return {
    name: pluginPageName(manifest),
    summary: description.replace(/\.$/, ""),
    sections: [
      { title: "Synopsis", blocks: [{ code: [["sandblock serve", name, ...usage].join(" ")] }] },
      { title: "Description", blocks: [`${description.replace(/\.$/, "")}. ${parallel}`] },
      { title: "Parameters", blocks },
      { title: "See also", blocks: ["sandblock(1), sandblock-serve(1), sandblock-plugin(1)"] },
    ],
  };
}
