// SPDX-License-Identifier: MIT
// A plugin whose calls may wait, under test: its instances, what they have logged, and a client.

import { HostMemory } from "../../backend/host_memory.ts";
import { TestClient } from "../../backend/testing.ts";
import { Agenda } from "../agenda.ts";
import type { LogLevel } from "../instance.ts";
import { parseParameters } from "../parameters.ts";
import { preparePlugin } from "../prepare.ts";
import { laterWat, plugin, RANGE } from "../test_plugins.ts";
import { Watchdog } from "../watch.ts";
import { PoolDevice, type PoolOptions } from "./pool.ts";

export const OK = "(i32.const 0)";
/** An export of 64 KiB by the handle 0. */
export const OPEN = `(func (export "sb_open") (param i32 i32 i32) (result i32) ${OK})
  (func (export "sb_size") (param i32) (result i64) (i64.const 65536))`;
/** Parameters of sb_pwrite. */
export const WRITE = `(param $h i32) (param $req i32) (param $data i32) (param $count i64)
  (param $offset i64) (param $flags i32) (result i32)`;
/** Answers all of a request with zeroes. */
export const ZEROES = `(call $reply_zero (local.get $req) (i64.const 0) (local.get $count) ${OK})`;

/** The allocator of the modules here never takes anything back; this one does when all of it is. */
const LEAKING = '(func (export "sb_free") (param i32 i32 i32))';
const FREEING = `(global $lent (mut i32) ${OK})
  (func (export "sb_free") (param i32 i32 i32)
    (global.set $lent (i32.sub (global.get $lent) (i32.const 1)))
    (if (i32.eqz (global.get $lent)) (then (global.set $heap (i32.const 131072)))))`;

/** What is said in place of the usual. */
export interface PoolTest extends Partial<PoolOptions> {
  manifest?: Record<string, unknown>;
  parameters?: string[];
  instances?: number;
}

/** See the top of this file. */
export class TestPool {
  readonly device: PoolDevice;
  readonly client: TestClient;
  readonly lines: string[] = [];

  constructor(wat: string, options: PoolTest = {}) {
    const { manifest, parameters = [], instances = 4, watches, ...rest } = options;
    const bytes = plugin(wat, { abi: "3.1", threads: "blocking", instances, ...manifest });
    const prepared = preparePlugin(bytes);
    const values = parseParameters(prepared.manifest.parameters, parameters, {
      directory: "/base",
    });
    const watchdog = new Watchdog();
    this.device = PoolDevice.create(prepared, values, {
      watch: watchdog.watch(10_000),
      watches: watches ?? Array.from({ length: instances }, () => watchdog.watch(10_000)),
      log: (level: LogLevel, text: string) => void this.lines.push(`${level}: ${text}`),
      instances: 1,
      restart: "fail",
      hostMemory: new HostMemory(64 * 1024 * 1024),
      agenda: new Agenda(),
      runsAgenda: true,
      ...rest,
    });
    this.client = new TestClient(
      this.device,
      this.device.open("", {
        readOnly: false,
        peer: "test",
      }),
    );
  }
}

/** A plugin whose sb_pread is `code`. */
export function reader(code: string, imports: string[], more = ""): string {
  return laterWat(
    `${OPEN} (func (export "sb_pread") ${RANGE} (local $at i32) ${code}) ${more}`,
    ["reply_zero", ...imports],
  );
}

const range = (name: string, call: string, handle: string) =>
  `(func (export "sb_${name}") ${RANGE} (call $next_${call} ${handle}))`;
const forwarded = (name: string) =>
  range(
    name,
    "forward",
    `(local.get $req) ${OK} (i64.const 0) (local.get $count) (local.get $offset)
    (local.get $flags) ${OK}`,
  );
const own = (name: string) =>
  range(
    name,
    name,
    `(local.get $h) ${OK} (local.get $count) (local.get $offset) (local.get $flags) ${OK}`,
  );

/** A filter through whose memory all data goes, and which waits for everything; it sleeps now and then. */
export const THROUGH = laterWat(
  `(func (export "sb_pread") ${RANGE} (local $at i32)
    (if (i64.eqz (i64.and (local.get $offset) (i64.const 0x7000)))
      (then (drop (call $sleep (i64.const 100000)))))
    (local.set $at (call $reply_buffer (local.get $req) (i64.const 0) (local.get $count)))
    (if (i32.eqz (local.get $at)) (then (return (i32.const 12))))
    (call $next_pread (local.get $h) ${OK} (local.get $at) (local.get $count) (local.get $offset)
      ${OK} ${OK}))
  (func (export "sb_pwrite") ${WRITE}
    (call $next_pwrite (local.get $h) ${OK} (local.get $data) (local.get $count)
      (local.get $offset) (local.get $flags) ${OK}))
  (func (export "sb_flush") (param i32 i32 i32) (result i32)
    (call $next_flush (local.get 0) ${OK} (local.get 2) ${OK}))
  ${own("trim")} ${own("zero")} ${own("cache")} ${forwarded("extents")}`,
  [
    "reply_buffer",
    "sleep",
    ...["pread", "pwrite", "flush", "trim", "zero", "cache", "forward"].map((name) =>
      `next_${name}`
    ),
  ],
).replace(LEAKING, FREEING).replace(
  "(local $p i32)",
  `$& (global.set $lent (i32.add (global.get $lent) (i32.const 1)))`,
);

/** The manifest that goes with it. */
export const THROUGH_MANIFEST = {
  kind: "filter",
  threads: "blocking",
  calls: { pread: "transform", pwrite: "transform", extents: "transform" },
};
