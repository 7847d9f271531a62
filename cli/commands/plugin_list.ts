// SPDX-License-Identifier: MIT
// `sandblock plugin list`: the plugins that need no path.

import type { Manifest } from "../../core/plugin/manifest.ts";
import { command } from "../declare/declaration.ts";
import { columns } from "../declare/text.ts";
import { print } from "../output.ts";
import { findPlugin, knownNames } from "../plugins.ts";
import { helpOption, jsonOption } from "./shared_options.ts";

/** What can be named, by how it is used. */
const GROUPS: readonly { title: string; holds(manifest: Manifest): boolean }[] = [
  { title: "Plugins (serve NAME)", holds: ({ kind }) => kind === "plugin" },
  { title: "One device out of several (serve NAME [ PLUGIN ] [ PLUGIN ])", holds: isComposing },
  {
    title: "Filters (serve --filter NAME PLUGIN)",
    holds: (manifest) => manifest.kind === "filter" && !isComposing(manifest),
  },
];

export const pluginList = command({
  name: "list",
  summary: "list the bundled plugins and filters",
  description: [
    "Lists the plugins and filters that can be used by name, with one line about each; " +
    '"sandblock serve --help NAME" says more. Plugins of other people are used by the path of their file.',
  ],
  options: { json: jsonOption, help: helpOption },
  run({ json }) {
    const manifests = knownNames().map((name) => findPlugin(name).manifest);
    print(json ? listJson(manifests) : listText(manifests));
    return 0;
  },
});

/** Whether it makes one device of several. */
function isComposing({ node }: Manifest): boolean {
  return (node?.children?.maximum ?? 0) > 1;
}

/** The list for people, newline at the end. */
export function listText(manifests: readonly Manifest[]): string {
  const groups = GROUPS.map(({ title, holds }) => {
    const rows = manifests.filter(holds).map(({ name, description }) =>
      [name, description] as const
    );
    return [title, ...columns(rows, 20)].join("\n") + "\n";
  });
  return groups.join("\n");
}

/** The list for programs. */
export function listJson(manifests: readonly Manifest[]): string {
  const entries = manifests.map(({ name, kind, version, description, node }) => {
    return { name, kind, children: node?.children ?? null, version, description };
  });
  return JSON.stringify(entries, null, 2) + "\n";
}
