// SPDX-License-Identifier: MIT
// `sandblock plugin new`: the beginning of a plugin in a language of one's choice.

import { KINDS, LANGUAGES } from "../../wasm-plugins/templates/languages.ts";
import { command } from "../declare/declaration.ts";
import { helpOption } from "./shared_options.ts";

const LANGUAGE_NAMES = LANGUAGES.map(({ name }) => name);

export const pluginNew = command({
  name: "new",
  summary: "start a plugin in a language of your choice",
  description: [
    "Makes DIRECTORY, whose last component is the name of the new plugin, and puts a small plugin that " +
    "works into it: a RAM disk, or a filter. With it come the SDK of the language, so that it " +
    "builds anywhere, a Makefile and a README that says what make needs.",
    `The languages are ${LANGUAGE_NAMES.join(", ")}.`,
  ],
  arguments: [{ name: "DIRECTORY", help: "What to make", required: true }],
  options: {
    language: {
      short: "l",
      long: "lang",
      aliases: ["--language"],
      value: "LANGUAGE",
      group: "Options",
      help: `One of ${LANGUAGE_NAMES.join(", ")}`,
      complete: LANGUAGE_NAMES,
      since: "0.1.0",
    },
    kind: {
      short: "k",
      long: "kind",
      value: "KIND",
      group: "Options",
      help: "plugin, or filter",
      default: "plugin",
      complete: KINDS,
      since: "0.1.0",
    },
    help: helpOption,
  },
  examples: [{
    command: "sandblock plugin new --lang c my-disk && make -C my-disk",
    text: "Start a plugin in C and build it:",
  }],
  async run({ language, kind }, [directory]) {
    const { newPlugin } = await import("../new_plugin.ts");
    return newPlugin({ directory: directory!, language, kind: kind ?? "plugin" });
  },
});
