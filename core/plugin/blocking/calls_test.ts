// SPDX-License-Identifier: MIT
// Every function of the host, called by an instance on its thread with whatever arguments.

import assert from "node:assert/strict";
import { GrantedFiles } from "../../backend/granted_files.ts";
import { GrantedStreams } from "../../backend/granted_streams.ts";
import { Command } from "../../block/request.ts";
import { type AbiFunction, IMPORTS, Value } from "../abi.ts";
import { Agenda } from "../agenda.ts";
import { parseGrants } from "../grants.ts";
import { TestPlugin } from "../test_device.ts";
import { diskWat, laterWat, RANGE } from "../test_plugins.ts";
import { TestPool, ZEROES } from "./test_pool.ts";

/** Functions for requests that are finished later are refused before anything runs. */
const REFUSED = ["complete", "timer", "cancel", "next_reopen"];
const NAMES = [...IMPORTS.keys()].filter((name) => !REFUSED.includes(name));
const ROUNDS = 12;
/** From here on, requests are answered as they should be. */
const GOOD_FROM = 61_440;

const NUMBERS = [0n, 0n, 0n, 1n, -1n, 2n, 8n, 16n, 512n, 4096n, 65_536n, 262_143n, 262_144n];
NUMBERS.push(0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 0x1_0000_0000n, 1n << 53n, -(1n << 63n));
NUMBERS.push((1n << 63n) - 1n, 1024n, 2048n, 0n);
/** The number of the request takes the place of this one. */
const REQUEST = NUMBERS.length - 1;

/** Calls `name` with some of the numbers. */
function call(name: string, { parameters, results }: AbiFunction): string {
  const values = parameters.map((value): string => {
    return value === Value.Count || value === Value.BigInt
      ? "(call $pick)"
      : "(i32.wrap_i64 (call $pick))";
  });
  if (name === "sleep") values[0] = "(i64.and (call $pick) (i64.const 0xfffff))";
  const called = `(call $${name} ${values.join(" ")})`;
  return results.length === 0 ? called : `(drop ${called})`;
}

/** Calls the function whose number is that of the block of 512 bytes that is read. */
const CALLER = laterWat(
  `(data (i32.const 64) "${bytesOf(NUMBERS)}") (global $seed (mut i32) (i32.const 42))
  (func $pick (result i64)
    (global.set $seed (i32.add (i32.mul (global.get $seed) (i32.const 1664525))
      (i32.const 1013904223)))
    (i64.load (i32.add (i32.const 64) (i32.mul (i32.const 8)
      (i32.rem_u (i32.shr_u (global.get $seed) (i32.const 8)) (i32.const ${NUMBERS.length}))))))
  (func (export "sb_pread") ${RANGE} (local $which i64)
    (if (i64.ge_u (local.get $offset) (i64.const ${GOOD_FROM}))
      (then ${ZEROES} (return (i32.const 0))))
    (i64.store (i32.const ${64 + 8 * REQUEST}) (i64.extend_i32_u (local.get $req)))
    (local.set $which (i64.shr_u (local.get $offset) (i64.const 9)))
    ${
    NAMES.map((name, index) =>
      `(if (i64.eq (local.get $which) (i64.const ${index})) (then
        ${call(name, IMPORTS.get(name)!)} ${call(name, IMPORTS.get(name)!)}))`
    ).join("\n")
  }
    ${ZEROES} (i32.const 0))`,
  NAMES,
);

function bytesOf(numbers: readonly bigint[]): string {
  const bytes = new Uint8Array(new BigInt64Array(numbers).buffer);
  return Array.from(bytes, (byte) => `\\${byte.toString(16).padStart(2, "0")}`).join("");
}

Deno.test("no function of the host minds what an instance on its thread calls it with", () => {
  const directory = Deno.makeTempDirSync();
  Deno.mkdirSync(`${directory}/in`);
  const grants = parseGrants(["write=in", "net=127.0.0.1:9", "clock", "random"], directory);
  const agenda = new Agenda();
  const below = new TestPlugin(diskWat(), { agenda });
  const pool = new TestPool(CALLER, {
    manifest: {
      abi: "3.2",
      kind: "filter",
      calls: { pread: "transform" },
      capabilities: { write: {}, net: {}, clock: {}, random: {} },
      metrics: [{ name: "a", type: "counter" }],
    },
    children: [below.device],
    grants,
    files: new GrantedFiles(grants.files, { log: () => {} }),
    streams: new GrantedStreams(grants.net),
    agenda,
    runsAgenda: true,
    instances: 2,
  });
  const { client, device, lines } = pool;
  const refused = new Set<string>();
  for (let round = 0; round < ROUNDS; round++) {
    const requests = NAMES.flatMap((_, index) => {
      const at = GOOD_FROM + (index % 4) * 512;
      return [index * 512, at].map((offset) => client.request(Command.Read, offset, 512n, 0));
    });
    const results = client.together(requests);
    results.forEach((errno, index) => {
      const what = `${NAMES[index >> 1]}: ${requests[index]!.errorText}`;
      if (index % 2 === 1) assert.equal(errno, 0, what);
      else if (errno !== 0) refused.add(NAMES[index >> 1]!);
      // A host that throws where it must not says so like this.
      assert.doesNotMatch(requests[index]!.errorText, /made the host fail/, what);
    });
    client.giveBack();
  }
  assert(refused.size > 20, `only ${[...refused]} were refused anything`);
  assert.doesNotMatch(lines.join("\n"), /made the host fail/);
  assert.deepEqual([...Deno.readDirSync(directory)].map((entry) => entry.name), ["in"]);
  client.opened.close();
  device.close();
  Deno.removeSync(directory, { recursive: true });
});
