// SPDX-License-Identifier: MIT
// What help shows as the way to use a plugin is a way that is accepted.

import assert from "node:assert/strict";
import { usageForms } from "../describe.ts";
import { findPlugin, knownNames } from "../plugins.ts";
import { prepareDevice } from "./device.ts";

/** Values for parameters without which a plugin does not work. */
const REQUIRED: Readonly<Record<string, string>> = {
  size: "1M",
  partition: "1",
  protect: "0-511",
  "xor-key": "55",
  extentlist: "/dev/null",
};

/** The shortest command line that `form` stands for: its words behind `serve`. */
function typed(form: string): string[] {
  return form.replaceAll("]...", "]").split(" ").flatMap((word) => {
    if (word === "PLUGIN") return ["memory", "1M"];
    if (/^\[.+\]$/.test(word)) return [];
    const [, name] = /^\[?([a-z-]+)=\]?[A-Z]+$/.exec(word) ?? [];
    return name === undefined ? [word] : [`${name}=${REQUIRED[name]}`];
  });
}

Deno.test("every form of every bundled plugin that help shows is accepted", () => {
  for (const name of knownNames()) {
    // It has four parameters of which one must be given.
    if (name === "file" || name === "data") continue;
    const { manifest } = findPlugin(name);
    const forms = usageForms(manifest, name);
    assert.equal(forms.length, manifest.node?.children?.minimum === 1 ? 2 : 1, name);
    for (const form of forms) {
      const words = typed(form);
      const filters = words[0] === "--filter" ? [words[1]!] : [];
      const [plugin, ...parameters] = words.slice(2 * filters.length);
      const device = prepareDevice({ plugin: plugin!, parameters, filters });
      assert.equal(device.kind, "plugin", form);
    }
  }
});
