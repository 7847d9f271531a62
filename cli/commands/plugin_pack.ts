// SPDX-License-Identifier: MIT
// `sandblock plugin pack`: puts a manifest into a module, for languages whose tools cannot.

import { MANIFEST_BYTES_MAX, writeManifest } from "../../core/plugin/manifest.ts";
import { command } from "../declare/declaration.ts";
import { UsageError } from "../errors.ts";
import { readFile, writeFile } from "../files.ts";
import { PLUGIN_FILE_BYTES_MAX, withReason } from "../plugins.ts";
import { helpOption } from "./shared_options.ts";

export const pluginPack = command({
  name: "pack",
  summary: "put a manifest into a module",
  description: [
    "Writes a copy of MODULE with the manifest in MANIFEST as its custom section " +
    "sandblock.manifest, in place of one that it may have. For languages whose tools cannot write " +
    "custom sections.",
  ],
  arguments: [
    { name: "MODULE", help: "WebAssembly module", required: true, complete: "file" },
    { name: "MANIFEST", help: "Manifest as a JSON file", required: true, complete: "file" },
  ],
  options: {
    output: {
      short: "o",
      long: "output",
      value: "FILE",
      group: "Options",
      help: "Where to write the plugin; it may be MODULE",
      complete: "file",
      since: "0.1.0",
    },
    help: helpOption,
  },
  examples: [{
    command: "sandblock plugin pack disk.wasm disk.json -o disk-plugin.wasm",
    text: "Make a plugin out of a module and its manifest:",
  }],
  async run({ output }, [module, manifest]) {
    if (output === undefined) {
      throw new UsageError(
        "cannot pack a plugin without --output: it says where to write it",
        "sandblock plugin pack --help",
      );
    }
    const bytes = readFile("module", module!, PLUGIN_FILE_BYTES_MAX);
    const json = new TextDecoder().decode(readFile("manifest", manifest!, MANIFEST_BYTES_MAX));
    const { isPolicyText, packPolicy } = await import("../policy/module.ts");
    const pack = isPolicyText(json) ? packPolicy : writeManifest;
    writeFile("plugin", output, withReason(module!, () => pack(bytes, json), "pack"));
    return 0;
  },
});
