// SPDX-License-Identifier: MIT
// What is published about configuration files is what they are checked by. After a wanted change:
// UPDATE_GOLDEN=1 deno test -A cli/config, then read the difference.

import assert from "node:assert/strict";
import { configSchema } from "./json_schema.ts";
import { inspectConfig } from "./load.ts";
import { configReference } from "./reference.ts";

const DOCS = new URL("../../docs/", import.meta.url);
const HEADING = "## Reference\n";

function read(name: string): string {
  return Deno.readTextFileSync(new URL(name, DOCS));
}

function holds(name: string, now: string, expected: string): void {
  if (Deno.env.get("UPDATE_GOLDEN") === "1") Deno.writeTextFileSync(new URL(name, DOCS), expected);
  else assert.equal(now, expected, `docs/${name} differs`);
}

Deno.test("the published schema is made from the table", () => {
  holds("config.schema.json", read("config.schema.json"), configSchema());
});

Deno.test("the reference in the docs is made from the table", () => {
  const text = read("config.md");
  const at = text.indexOf("\n\n", text.indexOf(HEADING) + HEADING.length + 1) + 2;
  holds("config.md", text, text.slice(0, at) + configReference());
});

Deno.test("every example in the docs is right", () => {
  const examples = [...read("config.md").matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text!);
  assert.equal(examples.length, 3);
  const directory = Deno.makeTempDirSync();
  Deno.writeTextFileSync(`${directory}/pair.policy`, "default allow\n");
  for (const example of examples) {
    Deno.writeTextFileSync(`${directory}/disks.yaml`, example);
    const found = inspectConfig(`${directory}/disks.yaml`);
    assert.deepEqual("faults" in found ? found.faults : [], [], example);
  }
  Deno.removeSync(directory, { recursive: true });
});
