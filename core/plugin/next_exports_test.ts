// SPDX-License-Identifier: MIT
// What a filter may ask about its surroundings: the exports of its children.

import assert from "node:assert/strict";
import { listBytes } from "./next_exports.ts";
import { TestPlugin } from "./test_device.ts";
import { diskWat, laterWat } from "./test_plugins.ts";

const NONE = "(i32.const 0)";

/** A filter whose `sb_ready` is `body`, which leaves an i32. */
function ready(body: string, imports: string[]): TestPlugin {
  const wat = laterWat(`(func (export "sb_ready") (result i32) ${body})`, imports);
  return new TestPlugin(wat, {
    manifest: { abi: "3.1", kind: "filter" },
    children: [new TestPlugin(diskWat()).device],
  });
}

Deno.test("a list of exports is packed: number, lengths, texts", () => {
  const bytes = listBytes([{ name: "a", description: "" }, { name: "", description: "dé" }]);
  assert.deepEqual([...bytes], [
    ...[2, 0, 0, 0],
    ...[1, 0, 0, 0, 0, 0, 0, 0, 97],
    ...[0, 0, 0, 0, 3, 0, 0, 0, 100, 0xc3, 0xa9],
  ]);
});

Deno.test("a filter gets the exports of its child, as far as they fit", () => {
  // One export with an empty name and "For tests" as its description: 4 + 8 + 9 bytes.
  const call = (capacity: number) =>
    `(call $next_list ${NONE} (i32.const 1024) ${`(i32.const ${capacity})`})`;
  const whole = `(i32.ne ${call(64)} (i32.const 21))`;
  const count = "(i32.ne (i32.load (i32.const 1024)) (i32.const 1))";
  const text = "(i32.ne (i32.load8_u (i32.const 1036)) (i32.const 70))";
  ready(`(i32.or (i32.or ${whole} ${count}) ${text})`, ["next_list"]);
  const beyond = "(i32.load (i32.const 1028))";
  ready(`(i32.or (i32.ne ${call(4)} (i32.const 21)) ${beyond})`, ["next_list"]);
  const name = `(call $next_default ${NONE} (i32.const 1024) (i32.const 64))`;
  ready(name, ["next_default"]);
});

for (
  const [what, body, imports, message] of [
    ["a child", `(call $next_list (i32.const 1) ${NONE} ${NONE})`, "next_list", "no child 1"],
    [
      "a place",
      `(call $next_list ${NONE} ${NONE} (i32.const -1))`,
      "next_list",
      "not in its memory",
    ],
    [
      "a child",
      `(call $next_default (i32.const -1) ${NONE} ${NONE})`,
      "next_default",
      "no child -1",
    ],
  ] as const
) {
  Deno.test(`${imports} with ${what} that is not there is a broken rule`, () => {
    assert.throws(
      () => ready(body, [imports]),
      new RegExp(`breaks the ABI in sb_ready.*${message}`),
    );
  });
}
