// SPDX-License-Identifier: MIT
// A plugin and a filter in Rust, from `plugin new` to the conformance kit; and a plugin that uses all of
// the SDK, with the standard library of Rust and without.

import { output } from "../support/command.ts";
import { tryNewPlugin } from "./new_plugin.ts";
import { cargoCommand } from "./toolchains.ts";

/** A file beside this test, in place of the template's. */
async function source(name: string): Promise<string> {
  return await Deno.readTextFile(new URL(`rust/${name}`, import.meta.url));
}

/** Since when no_std plugins compile without a feature that is not stable. */
const NO_STD_MINOR_MIN = 68;

for (const kind of ["plugin", "filter"] as const) {
  Deno.test(`a new ${kind} in Rust builds, serves and passes the conformance kit`, async () => {
    await tryNewPlugin({ language: "rust", kind, variables: { CARGO: await cargoCommand() } });
  });
}

Deno.test("a plugin that has every trait of the Rust SDK passes the conformance kit", async () => {
  await tryNewPlugin({
    language: "rust",
    kind: "plugin",
    variables: { CARGO: await cargoCommand() },
    replaced: { "src/lib.rs": await source("everything.rs") },
  });
});

const FILTERS = [
  ["that uses all that the Rust SDK has for filters", "everything_filter.rs"],
  ["in Rust whose calls wait", "blocking_filter.rs"],
] as const;

for (const [what, file] of FILTERS) {
  Deno.test(`a filter ${what} passes the conformance kit`, async () => {
    await tryNewPlugin({
      language: "rust",
      kind: "filter",
      variables: { CARGO: await cargoCommand() },
      replaced: { "src/lib.rs": await source(file) },
    });
  });
}

Deno.test("a plugin that has every trait of it passes it without Rust's standard library", async () => {
  const cargo = await cargoCommand();
  const text = await source("everything.rs");
  const older = await rustMinor(cargo) < NO_STD_MINOR_MIN;
  const feature = older ? "#![feature(default_alloc_error_handler)]\n" : "";
  await tryNewPlugin({
    language: "rust",
    kind: "plugin",
    variables: { CARGO: older ? `env RUSTC_BOOTSTRAP=1 ${cargo}` : cargo },
    replaced: { "src/lib.rs": `#![no_std]\n${feature}${text}` },
    changed: {
      "Cargo.toml": [`{ path = "sandblock" }`, `{ path = "sandblock", default-features = false }`],
    },
  });
});

async function rustMinor(cargo: string): Promise<number> {
  const stdout = await output([...cargo.split(" "), "--version"]);
  return Number(/ 1\.(\d+)/.exec(stdout)![1]);
}
