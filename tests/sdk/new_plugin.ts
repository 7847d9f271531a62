// SPDX-License-Identifier: MIT
// Does what a new user does: starts a plugin with `plugin new`, builds it with make, serves it, and
// has the conformance kit look at it.

import assert from "node:assert/strict";
import { install } from "../peers.ts";
import { output, run } from "../support/command.ts";
import { sandblock } from "../support/program.ts";

/** A plugin to start. */
export interface NewPlugin {
  language: string;
  kind: "plugin" | "filter";
  /** Operations of the kit, where its own number takes too long. */
  operations?: number;
  /** Seconds that one call may take. */
  pluginTimeout?: number;
  /** Variables for make, such as the path of a compiler. */
  variables?: Record<string, string>;
  /** Files of the template that others take the place of. */
  replaced?: Record<string, string>;
  /** Files of the template in which the first text becomes the second. */
  changed?: Record<string, readonly [string, string]>;
  timeoutMs?: number;
}

const TIMEOUT_MS = 240_000;

/** The disk has 1 MiB, of which less is written, so that its end is seen to be untouched. */
const PROBE = `set -e
head -c 300000 /dev/urandom > data
truncate -s 1M data
nbdcopy data "$uri"
nbdcopy "$uri" back
cmp data back`;

/** Starts, builds, serves and checks a plugin in a directory of its own. Fails where a user would. */
export async function tryNewPlugin(plugin: NewPlugin): Promise<void> {
  await withNewPlugin(plugin, async (cwd, module) => {
    await serve(cwd, plugin.kind, module);
    await checkPlugin(plugin, cwd, module);
  });
}

/** Has the conformance kit look at the module in `cwd`. Returns what it says; fails where it finds a fault. */
export async function checkPlugin(
  plugin: NewPlugin,
  cwd: string,
  module: string,
  ...parameters: string[]
): Promise<string> {
  const { kind, operations, pluginTimeout, timeoutMs = TIMEOUT_MS } = plugin;
  const parameter = kind === "plugin" ? "size=1M" : "key=0x5a";
  const limit = operations === undefined ? [] : [`--operations=${operations}`];
  if (pluginTimeout !== undefined) limit.push(`--plugin-timeout=${pluginTimeout}`);
  const check = [...sandblock(), "plugin", "check", module, parameter, ...parameters, ...limit];
  const { code, stdout, stderr } = await run(check, { cwd, timeoutMs });
  const faults = stdout.split("\n").filter((line) => line.startsWith("FAILED"));
  assert.deepEqual([faults, stderr, code], [[], "", 0]);
  return stdout;
}

/** Starts and builds a plugin and calls `use` with its directory and its module there. */
export async function withNewPlugin(
  plugin: NewPlugin,
  use: (cwd: string, module: string) => Promise<void>,
): Promise<void> {
  const { language, kind, variables = {}, timeoutMs = TIMEOUT_MS } = plugin;
  await install({ make: "make", nbdcopy: "libnbd-bin" });
  const folder = await Deno.makeTempDir({ prefix: "sandblock-new-" });
  const program = sandblock();
  try {
    const cwd = `${folder}/my-${kind}`;
    await output([...program, "plugin", "new", "--lang", language, "--kind", kind, cwd]);
    for (const [path, text] of Object.entries(plugin.replaced ?? {})) {
      await Deno.writeTextFile(`${cwd}/${path}`, text);
    }
    for (const [path, [from, to]] of Object.entries(plugin.changed ?? {})) {
      const text = await Deno.readTextFile(`${cwd}/${path}`);
      assert(text.includes(from), `${path} has no "${from}"`);
      await Deno.writeTextFile(`${cwd}/${path}`, text.replace(from, to));
    }
    const settings = Object.entries({ ...variables, SANDBLOCK: program.join(" ") })
      .map(([name, value]) => `${name}=${value}`);
    await output(["make", ...settings], { cwd, timeoutMs });
    await use(cwd, `./my-${kind}.wasm`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Copies data in and out again with a client. */
async function serve(cwd: string, kind: string, module: string): Promise<void> {
  const device = kind === "plugin"
    ? [module, "size=1M"]
    : ["--filter", module, "memory", "1M", "key=0x5a"];
  const command = [...sandblock(), "serve", "-U", "-", ...device, "--run", PROBE];
  const { code, stderr } = await run(command, {
    cwd,
    timeoutMs: 120_000,
  });
  assert.equal(code, 0, stderr);
}
