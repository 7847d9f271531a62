// SPDX-License-Identifier: MIT
// A manual page as data, made from a command's declaration. roff.ts and plain.ts write it out.

import { type Command, type OptionDeclaration, spellings, synopsis } from "./declaration.ts";
import { optionGroups } from "./help.ts";

/** A piece of a section: a paragraph, a list of terms with their paragraphs, or lines as they are. */
export type Block =
  | string
  | { terms: readonly Term[] }
  | { code: readonly string[] }
  | { heading: string };

/** A term and what it means. */
export interface Term {
  term: string;
  blocks: readonly string[];
}

/** A manual page of section 1. */
export interface Page {
  /** As in the file name: `sandblock-serve`. */
  name: string;
  summary: string;
  sections: { title: string; blocks: readonly Block[] }[];
}

/** The page of a command; `path` is its full path. Children without a page of their own are in it. */
export function commandPage(path: string, command: Command, seeAlso: readonly string[]): Page {
  const name = path.replaceAll(" ", "-");
  const children = command.commands ?? [];
  const inside = children.filter((child) => !child.ownPage);
  const sections: Page["sections"] = [
    { title: "Synopsis", blocks: [{ code: synopses(path, command, inside) }] },
    { title: "Description", blocks: command.description },
  ];
  if (children.length > 0) {
    sections.push({ title: "Commands", blocks: children.flatMap((c) => childBlocks(path, c)) });
  }
  const operands = operandTerms(command);
  if (operands.length > 0) sections.push({ title: "Arguments", blocks: [{ terms: operands }] });
  sections.push({ title: "Options", blocks: optionBlocks(command) });
  for (const { title, paragraphs } of command.sections ?? []) {
    sections.push({ title, blocks: paragraphs });
  }
  const examples = command.examples ?? [];
  if (examples.length > 0) {
    const blocks = examples.flatMap((e): Block[] => [e.text, { code: [e.command] }]);
    sections.push({ title: "Examples", blocks });
  }
  sections.push({ title: "See also", blocks: [seeAlso.map((page) => `${page}(1)`).join(", ")] });
  return { name, summary: command.summary, sections };
}

function synopses(path: string, command: Command, inside: readonly Command[]): string[] {
  if (inside.length === 0) return [synopsis(path, command)];
  return inside.map((child) => synopsis(`${path} ${child.name}`, child));
}

function childBlocks(path: string, child: Command): Block[] {
  const full = `${path} ${child.name}`;
  if (child.ownPage) {
    const text = `${child.summary}. See ${full.replaceAll(" ", "-")}(1).`;
    return [{ terms: [{ term: full, blocks: [text] }] }];
  }
  const terms = [...operandTerms(child), ...Object.values(child.options).map(optionTerm)];
  const examples = (child.examples ?? []).flatMap((e): Block[] => [e.text, { code: [e.command] }]);
  return [{ heading: synopsis(full, child) }, ...child.description, { terms }, ...examples];
}

function operandTerms(command: Command): Term[] {
  return (command.arguments ?? []).map(({ name, help }) => ({ term: name, blocks: [`${help}.`] }));
}

function optionBlocks(command: Command): Block[] {
  const groups = [...optionGroups(command)];
  if (groups.length === 1) return [{ terms: groups[0]![1].map(optionTerm) }];
  return groups.flatMap(([group, options]) => [
    { heading: group },
    { terms: options.map(optionTerm) },
  ]);
}

function optionTerm(option: OptionDeclaration): Term {
  const term = spellings(option).map((spelling) => {
    if (!option.value) return spelling;
    return spelling.startsWith("--")
      ? `${spelling}=${option.value}`
      : `${spelling} ${option.value}`;
  }).join(", ");
  const blocks = [`${option.help}.`];
  if (option.details) blocks[0] += ` ${option.details}`;
  if (option.default) blocks[0] += ` The default is ${option.default}.`;
  if (option.repeated) blocks[0] += " May be given several times.";
  blocks[0] += ` (Since ${option.since})`;
  return { term, blocks };
}
