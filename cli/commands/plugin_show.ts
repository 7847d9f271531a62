// SPDX-License-Identifier: MIT
// `sandblock plugin show`: what a plugin is, takes, provides and may use.

import { bundledGrants, NO_GRANTS } from "../../core/plugin/grants.ts";
import { command } from "../declare/declaration.ts";
import { descriptionJson, descriptionText } from "../describe.ts";
import { inspectPlugin } from "../inspect.ts";
import { Allowances } from "../serve/allow.ts";
import { print } from "../output.ts";
import { serveOptions } from "../serve/options.ts";
import { helpOption, jsonOption } from "./shared_options.ts";

export const pluginShow = command({
  name: "show",
  summary: "show what a plugin is, takes and provides",
  description: [
    "Shows the manifest of a plugin, the functions that it provides, its limits and what it " +
    "asks to be allowed; with --allow, also what of that it would get. The module is checked and " +
    "compiled as for serving, so a module that cannot be served is refused here with the same sentence. None of its code runs.",
  ],
  arguments: [{
    name: "PLUGIN",
    help: "Name of a bundled plugin, or path of a .wasm file",
    required: true,
    complete: "plugin",
  }],
  options: { allow: serveOptions.allow, json: jsonOption, help: helpOption },
  examples: [{
    command: "sandblock plugin show ./my-plugin.wasm",
    text: "What does this plugin take?",
  }],
  async run({ allow, json }, [name]) {
    const { inspectPolicyModule, policyJson, policyText } = await import("../policy/module.ts");
    const policy = inspectPolicyModule(name!);
    if (policy !== null) {
      print(json ? policyJson(policy) : policyText(policy));
      return 0;
    }
    const description = inspectPlugin(name!);
    const { manifest, path, memoryMaximum } = description;
    // What comes with sandblock gets some of what it asks for unasked.
    const isBundled = path === null && memoryMaximum !== null;
    if (allow !== undefined) {
      const allowances = new Allowances(allow);
      description.grants = allowances.of(name!, manifest, true, isBundled);
      allowances.checkNames();
    } else if (isBundled) description.grants = bundledGrants(manifest, NO_GRANTS);
    print(json ? descriptionJson(description) : descriptionText(description));
    return 0;
  },
});
