// SPDX-License-Identifier: MIT
// What a new plugin consists of: the template of its language with names filled in, and the SDK.

import { templateFiles } from "./files.ts";
import { type Kind, KINDS, type Language } from "./languages.ts";

/** What is asked for. */
export interface NewPlugin {
  /** As in its manifest. */
  name: string;
  language: Language;
  kind: Kind;
  /** How its Makefile calls sandblock. */
  sandblock: string;
}

/** Whether plugins of all languages can have this name: a letter, then letters, digits, - and _. */
export function isPluginName(name: string): boolean {
  return /^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(name);
}

/**
 * The files of a new plugin by their paths in its directory. In the templates, also in the names of files,
 * @name@ is the plugin's name, @ident@ the same with _ for -, @title@, @needs@, @install@ and @source@
 * are those of the language, @sandblock@ is the command, and a file dot-NAME becomes .NAME.
 */
export function expandTemplate(plugin: NewPlugin): Map<string, string> {
  const { name, language, kind, sandblock } = plugin;
  const { title, needs, install, source } = language;
  const words: Record<string, string> = {
    name,
    ident: name.replaceAll("-", "_"),
    title,
    needs,
    install,
    source: source.replaceAll("@name@", name),
    sandblock,
  };
  const fill = (text: string) => text.replaceAll(/@([a-z]+)@/g, (all, key) => words[key] ?? all);
  const files = new Map<string, string>();
  // What comes later goes before what came first: a language may have a README of its own.
  for (const folder of [`common/${kind}`, `${language.name}/common`, `${language.name}/${kind}`]) {
    for (const [path, text] of Object.entries(templateFiles(`templates/${folder}`))) {
      files.set(fill(path).replaceAll(/(^|\/)dot-/g, "$1."), fill(text));
    }
  }
  for (const [from, to] of Object.entries(language.sdk)) {
    for (const [path, text] of Object.entries(templateFiles(from))) {
      files.set(path === "" ? to : `${to}/${path}`, text);
    }
  }
  return files;
}

/** Files and folders of wasm-plugins/ that `expandTemplate` looks for, for a build that takes them along. */
export function templateFolders(languages: readonly Language[]): string[] {
  const kinds = (name: string) => KINDS.map((kind) => `templates/${name}/${kind}`);
  const folders = languages.flatMap(({ name, sdk }) => {
    return [`templates/${name}/common`, ...kinds(name), ...Object.keys(sdk)];
  });
  return [...new Set([...kinds("common"), ...folders])];
}
