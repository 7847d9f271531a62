// SPDX-License-Identifier: MIT
// Every `sandblock serve` and `sandblock attach` in the documents, the pages of plugins and the manual
// means something: options, plugins, filters and parameters are what there is.

import assert from "node:assert/strict";
import { root } from "../commands/root.ts";
import { parseCommandLine } from "../declare/parser.ts";
import { planAttach } from "../kernel/attach_plan.ts";
import { prepareDevice } from "./device.ts";
import { planServe } from "./plan.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** The words of a command, as a shell divides it; up to what is no part of it any more. */
function shellWords(line: string): string[] {
  const words: string[] = [];
  let word: string | null = null;
  for (let at = 0; at < line.length; at++) {
    const character = line[at]!;
    if (character === "'" || character === '"') {
      const end = line.indexOf(character, at + 1);
      word = (word ?? "") + line.slice(at + 1, end);
      at = end;
    } else if (/\s/.test(character)) {
      if (word !== null) words.push(word);
      word = null;
    } else if (/[;|&)]/.test(character) || (character === "#" && word === null)) break;
    else word = (word ?? "") + character;
  }
  return word === null ? words : [...words, word];
}

/** Commands in a page of Markdown, each in one line. */
function commands(text: string): string[] {
  const joined = text.replaceAll(/\\\n\s*/g, " ");
  // What is in quotes may go over several lines.
  return [
    ...joined.matchAll(/^[^`\n|]*?\bsandblock ((?:serve|attach)\s(?:'[^']*'|"[^"]*"|[^\n'"`])*)/gm),
  ]
    .map(([, words]) => words!);
}

/** Words that stand for something else, and plugins that only exist for who makes them. */
const PLACEHOLDER =
  /^\.\.\.|\.\.\.$|^\[\[?[a-z-]+=?|PLUGIN|OPTION|=(?!E[A-Z]+$)[A-Z]+(\||$)|\.wasm$|^--config/;

/** Files of which a parameter takes the content, and descriptors that tests do not inherit. */
const STAND_INS: Readonly<Record<string, string>> = {
  "extentlist=disk.extents": "extentlist=/dev/null",
  "fd=5": "fd=0",
};

function check(words: string[]): void {
  const { command, invocation } = parseCommandLine(root, words);
  const { values, operands } = invocation;
  if (values["help"] || values["dumpConfig"] || values["version"]) return;
  const plan = command.name === "attach"
    ? planAttach(values, operands).serve
    : planServe(values, operands, { listenFds: [], connectedFds: [] });
  prepareDevice(plan);
}

function* pages(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(`${ROOT}${folder}`)) {
    const path = `${folder}${name}`;
    if (isDirectory && !/^(dist|node_modules|templates|target)$|^\./.test(name)) {
      yield* pages(`${path}/`);
    } else if (name.endsWith(".md")) yield path;
  }
}

Deno.test("every serve and attach in the documents is a command line that is right", () => {
  const wrong: string[] = [];
  let count = 0;
  for (const path of pages("")) {
    for (const line of commands(Deno.readTextFileSync(ROOT + path))) {
      const words = shellWords(line.replace(/\s\d*[<>]+\S+/g, "")).map((word) =>
        STAND_INS[word] ?? word
      );
      if (
        words.length < 2 || words[1]!.startsWith("nbd:") ||
        words.some((word) => PLACEHOLDER.test(word))
      ) continue;
      count++;
      try {
        check(words);
      } catch (error) {
        wrong.push(`${path}: ${words.join(" ")}: ${(error as Error).message}`);
      }
    }
  }
  assert.deepEqual(wrong, []);
  // Synopses and plugins of other people are left out.
  assert.ok(count > 80, `${count}`);
});
