// SPDX-License-Identifier: MIT
// All manual pages: one per command that has its own, one per plugin that has a name.

import type { Manifest, ThreadModel } from "../core/plugin/manifest.ts";
import { bracketsText, parameterTerm, parameterText, usageForms, valueForms } from "./describe.ts";
import { type Command } from "./declare/declaration.ts";
import { markdownSections } from "./declare/markdown.ts";
import { type Block, commandPage, type Page } from "./declare/page.ts";

/** What there is to read about a plugin beside its manifest, in Markdown; null where there is nothing. */
export type Manuals = (name: string) => string | null;

/** The manual pages of the commands below `root` and of `plugins`. */
export function manualPages(
  root: Command,
  plugins: readonly Manifest[],
  manuals: Manuals = () => null,
): Page[] {
  const commands = [...commandsWithPage(root, root.name)].map(({ path, command }) => {
    return { path, command, name: path.replaceAll(" ", "-") };
  });
  const pluginNames = plugins.map(pluginPageName);
  const others = (own: string) => {
    const names = commands.map(({ name }) => name).filter((name) => name !== own);
    return own === SERVE_PAGE ? [...names, ...pluginNames] : names;
  };
  return [
    ...commands.map(({ path, command, name }) => commandPage(path, command, others(name))),
    ...plugins.map((manifest) => pluginPage(manifest, manuals(manifest.name))),
  ];
}

/** The page that names those of all plugins. */
const SERVE_PAGE = "sandblock-serve";

function* commandsWithPage(
  command: Command,
  path: string,
): Generator<{ path: string; command: Command }> {
  if (command.ownPage) yield { path, command };
  for (const child of command.commands ?? []) {
    yield* commandsWithPage(child, `${path} ${child.name}`);
  }
}

function pluginPageName({ name, kind }: Manifest): string {
  return `sandblock-${name}-${kind}`;
}

/** The page of a plugin that is called `called` on the command line. */
export function pluginPage(
  manifest: Manifest,
  manual: string | null = null,
  called = manifest.name,
): Page {
  const { description, parameters } = manifest;
  const synopsis = usageForms(manifest, called).map((form) => `sandblock serve ${form}`);
  const values = valueForms(parameters).map(([term, form]) => ({ term, blocks: [`${form}.`] }));
  const about = manual === null ? sectionsOf(manifest) : readSections(manifest, manual);
  const seeAlso = about.filter(({ title }) => title === SEE_ALSO).flatMap(({ blocks }) => blocks);
  return {
    name: pluginPageName(manifest),
    summary: description.replace(/\.$/, ""),
    sections: [
      { title: "Synopsis", blocks: [{ code: synopsis }] },
      ...about.filter(({ title }) => title !== SEE_ALSO),
      ...values.length > 0 ? [{ title: "Values", blocks: [{ terms: values }] }] : [],
      {
        title: "See also",
        blocks: ["sandblock(1), sandblock-serve(1), sandblock-plugin(1)", ...seeAlso],
      },
    ],
  };
}

const SEE_ALSO = "SEE ALSO";
/** What is said about threads. */
const THREADS: Readonly<Record<ThreadModel, string>> = {
  serialized: "It is served by one thread.",
  parallel: "It can be served by several threads (--threads).",
  blocking: "It has several instances, each of which answers requests on a thread of its own.",
};
/** Sections that are always made of the manifest. */
const OWN_SECTIONS = ["NAME", "SYNOPSIS"];

/** What the manifest alone says. */
function sectionsOf(manifest: Manifest): Page["sections"] {
  return [descriptionOf(manifest), { title: "Parameters", blocks: parameterBlocks(manifest) }];
}

/** What `manual` says. */
function readSections(manifest: Manifest, manual: string): Page["sections"] {
  const sections = markdownSections(manual).map(({ title, blocks }) => {
    return { title: title.toUpperCase(), blocks };
  }).filter(({ title }) => !OWN_SECTIONS.includes(title));
  const described = sections.find(({ title }) => title === "DESCRIPTION");
  if (described === undefined) return [descriptionOf(manifest), ...sections];
  described.blocks = [...described.blocks, generalSentences(manifest).join(" ")];
  return sections;
}

function descriptionOf(manifest: Manifest): Page["sections"][number] {
  const sentence = `${manifest.description.replace(/\.$/, "")}.`;
  return {
    title: "Description",
    blocks: [[sentence, ...generalSentences(manifest)].join(" ")],
  };
}

/** What holds for every plugin of its kind. */
function generalSentences(manifest: Manifest): string[] {
  const threads = THREADS[manifest.threads];
  const brackets = bracketsText(manifest);
  return brackets === "" ? [threads] : [threads, brackets];
}

function parameterBlocks({ parameters }: Manifest): Block[] {
  if (parameters.length === 0) return ["It takes none."];
  const terms = parameters.map((parameter) => {
    return { term: parameterTerm(parameter), blocks: [`${parameterText(parameter)}.`] };
  });
  return [{ terms }];
}
