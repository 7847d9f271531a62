// SPDX-License-Identifier: MIT
// Every plugin and filter that comes with sandblock passes its own conformance kit.

import assert from "node:assert/strict";
import { run } from "../support/command.ts";
import { sandblock } from "../support/program.ts";

/**
 * Arguments of `plugin check` for those that need some, each a run of its own. A name that is not here is
 * checked without any.
 */
const ARGUMENTS: Record<string, string[][]> = {
  data: [["data=1 2 @0x8000 3 @1048575 4"], ["data=0xff*5", "size=4097"]],
  memory: [["1M"], ["1000001"], ["5T"]],
  null: [["1M", "--writes=drop"]],
  ones: [["1000001", "--writes=drop"]],
  protect: [["protect=0-", "--writes=same"]],
  pattern: [["1M", "--writes=same"], ["9223372036854775807", "--writes=same"]],
  random: [["1000001", "--writes=same"]],
  "sparse-random": [["1T", "--writes=same"]],
  xor: [["xor-key=5a17"]],
  zero: [["1M"]],
};

const { stdout } = new Deno.Command(sandblock()[0]!, {
  args: [...sandblock().slice(1), "plugin", "list", "--json"],
}).outputSync();
const names = (JSON.parse(new TextDecoder().decode(stdout)) as { name: string }[])
  .map(({ name }) => name).filter((name) => name !== "file");

Deno.test("only what is there has arguments here", () => {
  const unknown = Object.keys(ARGUMENTS).filter((name) => !names.includes(name));
  assert.deepEqual(unknown, []);
});

for (const name of names) {
  for (const args of ARGUMENTS[name] ?? [[]]) {
    Deno.test(`plugin check ${[name, ...args].join(" ")} finds nothing`, async () => {
      const command = [...sandblock(), "plugin", "check", name, ...args];
      const { code, stdout, stderr } = await run(command);
      const faults = stdout.split("\n").filter((line) => /^FAILED|note:/.test(line));
      assert.deepEqual([stderr, faults], ["", []]);
      assert.equal(code, 0);
    });
  }
}
