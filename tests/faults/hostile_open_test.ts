// SPDX-License-Identifier: MIT
// Plugins whose allocator or whose exports are hostile: a client is refused in step, or served.

import assert from "node:assert/strict";
import { noise } from "../support/bytes.ts";
import { servePlugin } from "../support/plugin_server.ts";
import { OPTIONS, writer } from "./hostile.ts";

const ALLOCATORS: Record<string, string> = {
  "gives address 0": "(i32.const 0)",
  "gives an address outside of memory": "(i32.const -4096)",
  "gives the same memory to everybody": "(i32.const 65536)",
  "traps": "unreachable",
  "loops": "(loop $l (br $l)) (i32.const 0)",
};
for (const [name, code] of Object.entries(ALLOCATORS)) {
  Deno.test(`a plugin whose allocator ${name} costs only its own clients`, async () => {
    const body = `${writer("(i32.const 0)")}
      (func (export "sb_alloc") (param i32 i32) (result i32) ${code})`;
    let server;
    try {
      server = await servePlugin({ body }, OPTIONS);
    } catch (error) {
      // It may be found out before there are clients: in words, and with status 1.
      assert.match((error as Error).message, /sandblock: error: .*test/);
      return;
    }
    await using _ = server;
    await using client = await server.connect();
    // Whatever happens to this client, it is told or closed, and the process lives.
    await client.negotiate().then(() => client.write(0, noise(4096))).catch(() => {});
    assert.doesNotMatch(server.log.text, /panic|at file:|TypeError/);
  });
}

const OPENERS: Record<string, string> = {
  "trap in sb_open": `(func (export "sb_open") (param i32 i32 i32) (result i32) unreachable)`,
  "loop in sb_open": `(func (export "sb_open") (param i32 i32 i32) (result i32)
    (loop $l (br $l)) (i32.const 0))`,
  "refuse to open": `(func (export "sb_open") (param i32 i32 i32) (result i32) (i32.const -13))`,
  "have a negative size": `(func (export "sb_size") (param i32) (result i64) (i64.const -5))`,
  "trap in sb_size": `(func (export "sb_size") (param i32) (result i64) unreachable)`,
  "have block sizes that are none": info(4, 3),
  "prefer less than they must have": `${info(4, 4096, "p")}`.replace(
    "i32.const 0)",
    "(i32.store offset=8 (local.get 1) (i32.const 512)) i32.const 0)",
  ),
  "have a capability that is none": info(16, 7),
  "trap in sb_info": `(func (export "sb_info") (param i32 i32) (result i32) unreachable)`,
  "trap in sb_list": `(func (export "sb_list") (result i32) unreachable)`,
  "loop in sb_list": `(func (export "sb_list") (result i32) (loop $l (br $l)) (i32.const 0))`,
  "list an export from outside of their memory": `(func (export "sb_list") (result i32)
    (call $export_add (i32.const -8) (i32.const 100) (i32.const 0) (i32.const 0)) (i32.const 0))`,
  "list exports for ever": `(func (export "sb_list") (result i32)
    (loop $l (call $export_add (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0)) (br $l))
    (i32.const 0))`,
};

function info(offset: number, value: number, _name = ""): string {
  return `(func (export "sb_info") (param i32 i32) (result i32)
    (i32.store offset=${offset} (local.get 1) (i32.const ${value})) i32.const 0)`;
}

for (const [name, body] of Object.entries(OPENERS)) {
  Deno.test(`plugins that ${name} refuse the client in step and serve on`, async () => {
    const imports = `(import "sandblock:v3" "export_add"
      (func $export_add (param i32 i32 i32 i32)))`;
    let server;
    try {
      server = await servePlugin({ body, imports }, OPTIONS);
    } catch (error) {
      assert.match((error as Error).message, /sandblock: error: .*test/);
      return;
    }
    await using _ = server;
    for (let round = 0; round < 2; round++) {
      await using lister = await server.connect();
      await lister.negotiate({ goal: "list" }).catch((error) =>
        assert.match(`${error}`, /refused/)
      );
      await using client = await server.connect();
      if (/sb_list/.test(body)) continue;
      await assert.rejects(client.negotiate(), /refused: .+/);
    }
    assert.doesNotMatch(server.log.text, /panic|TypeError/);
  });
}
