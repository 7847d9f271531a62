// SPDX-License-Identifier: MIT
// Small filters for tests, and what stands below them.

import assert from "node:assert/strict";
import { Agenda } from "./agenda.ts";
import { type TestOptions, TestPlugin } from "./test_device.ts";
import { diskWat, laterWat, RANGE } from "./test_plugins.ts";

/** Pieces of text in which the functions of filters are written. */
export const OK = "(i32.const 0)";
export const req = "(local.get $req)";
export const count = "(local.get $count)";
export const offset = "(local.get $offset)";
export const flags = "(local.get $flags)";
export const WRITE = `(param $h i32) (param $req i32) (param $data i32) (param $count i64)
  (param $offset i64) (param $flags i32) (result i32)`;
export const SHIFT = 4096;
export const shifted = `(i64.add ${offset} (i64.const ${SHIFT}))`;

/** Forwards the whole request with another offset. */
export function forward(name: string, where = shifted, parameters = RANGE): string {
  return `(func (export "${name}") ${parameters}
    (call $next_forward ${req} (i32.const 0) (i64.const 0) ${count} ${where} ${flags} ${OK}))`;
}
const SIZE = `(func (export "sb_size") (param i32) (result i64)
  (i64.sub (call $next_size (local.get 0) ${OK}) (i64.const ${SHIFT})))`;
export const SHIFTED = [forward("sb_pread"), forward("sb_pwrite", shifted, WRITE), SIZE].join("\n");

/** What a filter under test stands on and imports. */
export interface Filter extends TestOptions {
  imports?: string[];
  below?: TestPlugin[];
}

/** A filter above `below`, which is a RAM disk where nothing else is said. */
export function filter(
  functions: string,
  { imports = [], below, ...options }: Filter = {},
): TestPlugin {
  const agenda = new Agenda();
  const children = (below ?? [new TestPlugin(diskWat(), { agenda })]).map((one) => one.device);
  const wat = laterWat(functions, ["next_forward", "next_size", ...imports]);
  const manifest = { abi: "3.1", kind: "filter", ...options.manifest };
  return new TestPlugin(wat, { ...options, manifest, children });
}

/** A disk that answers reads and writes later, when `reap` is called; `more`: further functions. */
export function lateDisk(agenda: Agenda, more = ""): TestPlugin {
  const wat = laterWat(
    `(func (export "sb_open") (param i32 i32 i32) (result i32) ${OK})
     (func (export "sb_size") (param i32) (result i64) (i64.const 65536))
     (func (export "sb_pread") ${RANGE}
       (call $reply_data ${req} (i64.const 0) (i32.wrap_i64 ${offset}) ${count} (i32.const 1))
       (drop (call $timer (i64.const 0) ${req})) (i32.const -1))
     (func (export "sb_pwrite") ${WRITE}
       (memory.copy (i32.wrap_i64 ${offset}) (local.get $data) (i32.wrap_i64 ${count}))
       (drop (call $timer (i64.const 0) ${req})) (i32.const -1))
     (func (export "sb_flush") (param i32 i32 i32) (result i32)
       (drop (call $timer (i64.const 0) (local.get 1))) (i32.const -1))
     (func (export "sb_done") (param i32 i32) (call $complete (local.get 0) ${OK}))
     ${more}`,
    ["reply_data", "timer", "complete"],
  );
  return new TestPlugin(wat, { manifest: { abi: "3.1" }, agenda });
}

/** Lets `plugin` and what shares `agenda` with it work until nothing is left to do. */
export function settle(plugin: TestPlugin, agenda: Agenda): void {
  for (let i = 0; i < 1000 && agenda.nextMs !== Infinity; i++) agenda.run(performance.now());
  assert.equal(agenda.nextMs, Infinity, "something is left to do");
  plugin.device.reap();
}
