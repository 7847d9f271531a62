// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { willServe } from "./ahead.ts";

Deno.test("a thread is started ahead where this process is going to serve", () => {
  const cases: [string, boolean, boolean][] = [
    // In the foreground, in the background.
    ["serve memory 1G", true, true],
    ["serve --fork memory 1G", false, true],
    ["attach memory 1G", false, true],
    ["attach -f memory 1G", true, true],
    ["attach --foreground file disk.img", true, true],
    ["attach --foreground --writeback file disk.img", false, false],
    ["attach --swap file disk.img", false, false],
    ["attach nbd://host/disk", false, false],
    ["attach NBD+unix:///?socket=/s", false, false],
    ["detach /dev/nbd0", false, false],
    ["", false, false],
  ];
  for (const [line, foreground, background] of cases) {
    const words = line.split(" ");
    const told = [false, true].map((isInBackground) => willServe(words, isInBackground));
    assert.deepEqual([line, ...told], [line, foreground, background]);
  }
});
