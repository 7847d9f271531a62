// SPDX-License-Identifier: MIT
// What `plugin new` does: writes the template of a language into a new directory.

import { dirname, join } from "node:path";
import { didYouMean } from "../core/plugin/suggest.ts";
import { expandTemplate, isPluginName } from "../wasm-plugins/templates/expand.ts";
import { KINDS, type Language, LANGUAGES } from "../wasm-plugins/templates/languages.ts";
import { UsageError } from "./errors.ts";
import { reason } from "./files.ts";
import { print } from "./output.ts";

const HELP = "sandblock plugin new --help";

/** Options as they were given. */
export interface NewPluginOptions {
  directory: string;
  language?: string | undefined;
  kind: string;
}

/** Makes the directory; the exit status. Throws Error with one sentence, and then nothing is there. */
export function newPlugin(options: NewPluginOptions): number {
  const directory = options.directory.replace(/(?<=.)\/+$/, "");
  const name = directory.slice(directory.lastIndexOf("/") + 1);
  if (!isPluginName(name)) {
    throw new UsageError(
      `cannot name a plugin "${name}": a name is a letter and up to 63 letters, digits, - and _`,
      HELP,
    );
  }
  const language = languageOf(options.language);
  const kind = KINDS.find((one) => one === options.kind);
  if (kind === undefined) {
    const kinds = KINDS.join(" and ");
    throw new UsageError(`cannot make a "${options.kind}": there are ${kinds}`, HELP);
  }
  const files = expandTemplate({ name, language, kind, sandblock: ownCommand() });
  if (!files.has("Makefile")) {
    throw new UsageError(`cannot make a ${kind} in ${language.title}: there is no template`, HELP);
  }
  writeAll(directory, files);
  print(`${directory}: a ${kind} in ${language.title}, which needs ${language.needs}\n`);
  print(`Next: cd ${directory} && make && make check, and see README.md\n`);
  return 0;
}

function languageOf(given: string | undefined): Language {
  const names = LANGUAGES.map(({ name }) => name);
  if (given === undefined) {
    throw new UsageError(
      `cannot start a plugin without --lang: the languages are ${names.join(", ")}`,
      HELP,
    );
  }
  const found = LANGUAGES.find(({ name }) => name === given.toLowerCase());
  if (found !== undefined) return found;
  const right = didYouMean(given, names) || `; the languages are ${names.join(", ")}`;
  throw new UsageError(`cannot start a plugin in "${given}": it is not known${right}`, HELP);
}

function writeAll(directory: string, files: ReadonlyMap<string, string>): void {
  try {
    Deno.mkdirSync(directory);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) {
      throw new Error(`cannot make "${directory}": it is there already; choose another name`);
    }
    throw new Error(`cannot make directory "${directory}": ${reason(error)}`);
  }
  try {
    for (const [path, text] of files) {
      const file = join(directory, path);
      Deno.mkdirSync(dirname(file), { recursive: true });
      Deno.writeTextFileSync(file, text);
    }
  } catch (error) {
    Deno.removeSync(directory, { recursive: true });
    throw new Error(`cannot write "${directory}": ${reason(error)}`);
  }
}

/** How a Makefile calls this sandblock: by name where the shell finds it, else by its path. */
function ownCommand(): string {
  const own = Deno.execPath();
  // From source it is Deno that runs.
  if (new URL(Deno.mainModule).pathname.endsWith("/cli/main.ts")) return "sandblock";
  const inPath = (Deno.env.get("PATH") ?? "").split(":").map((folder) => `${folder}/sandblock`);
  const found = inPath.find(isFile);
  if (found !== undefined && Deno.realPathSync(found) === Deno.realPathSync(own)) {
    return "sandblock";
  }
  return /^[\w/.+-]+$/.test(own) ? own : "sandblock";
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
