// SPDX-License-Identifier: MIT
// Filters that take capabilities away or change them, as nbdinfo and libnbd see them.

import assert from "node:assert/strict";
import { succeed } from "../support/command.ts";
import { TestDirectory } from "../support/directory.ts";
import { requires } from "../support/peers.ts";
import { TestServer } from "../support/server.ts";

const MEBIBYTE = 1024 * 1024;
/** What nbdinfo says about an export, by key. */
type Facts = Record<string, unknown>;

async function facts(args: string[]): Promise<Facts> {
  const nbdinfo = requires("nbdinfo", "newer");
  await using server = await TestServer.start(args);
  const { stdout } = await succeed([...nbdinfo, "--json", server.uri()]);
  return JSON.parse(stdout).exports[0];
}

for (
  const [filter, parameters, missing] of [
    ["readonly", [], ["can_trim", "can_zero", "can_fua"]],
    ["nofua", [], ["can_fua"]],
    ["notrim", [], ["can_trim"]],
    ["nocache", [], ["can_cache"]],
    ["nozero", [], ["can_zero", "can_fast_zero"]],
    ["nozero", ["zeromode=plugin", "fastzeromode=none"], ["can_fast_zero"]],
    ["multi-conn", ["multi-conn-mode=disable"], ["can_multi_conn"]],
  ] as const
) {
  Deno.test(`${filter} ${parameters.join(" ")}: clients see what is missing, and nothing else`, async () => {
    using directory = new TestDirectory();
    const file = ["file", directory.sparse("disk.img", MEBIBYTE)];
    const before = await facts(file);
    const after = await facts(["--filter", filter, ...file, ...parameters]);
    for (const key of Object.keys(before).filter((one) => one.startsWith("can_"))) {
      const lost = missing.includes(key as never);
      if (lost) assert.equal(before[key], true, `${key} was there`);
      if (filter !== "readonly" || lost) assert.equal(after[key], !lost && before[key], key);
    }
    assert.equal(after["is_read_only"], filter === "readonly");
  });
}

Deno.test("noextents: nbdinfo maps a sparse file as data", async () => {
  const nbdinfo = requires("nbdinfo", "newer");
  using directory = new TestDirectory();
  const image = directory.sparse("disk.img", MEBIBYTE);
  await using server = await TestServer.start(["--filter", "noextents", "file", image]);
  const { stdout } = await succeed([...nbdinfo, "--map", "--json", server.uri()]);
  assert.deepEqual(
    JSON.parse(stdout).map((one: Facts) => [one["offset"], one["length"], one["type"]]),
    [[0, MEBIBYTE, 0]],
  );
});
