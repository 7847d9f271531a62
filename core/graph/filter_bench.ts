// SPDX-License-Identifier: MIT
// What filters cost per request: deno bench -A core/graph. A read of a RAM disk by itself, below
// filters that forward it, and below filters that have no function for it.

import { Command, Request } from "../block/request.ts";
import { spaceIn } from "../block/testing.ts";
import { Agenda } from "../plugin/agenda.ts";
import { PluginDevice } from "../plugin/instance.ts";
import { preparePlugin } from "../plugin/prepare.ts";
import { diskWat, laterWat, plugin, RANGE } from "../plugin/test_plugins.ts";
import { Watchdog } from "../plugin/watch.ts";

const FORWARD = laterWat(
  `(func (export "sb_pread") ${RANGE}
    (call $next_forward (local.get $req) (i32.const 0) (i64.const 0) (local.get $count)
      (local.get $offset) (local.get $flags) (i32.const 0)))`,
  ["next_forward"],
);
const NOTHING = laterWat("");
const READS = 1000;

/** A thousand reads through `count` filters of one kind. */
function reader(wat: string, count: number): () => void {
  const agenda = new Agenda();
  const watchdog = new Watchdog();
  const make = (bytes: Uint8Array<ArrayBuffer>, children: PluginDevice[]) =>
    PluginDevice.create(preparePlugin(bytes), [], {
      watch: watchdog.watch(10_000),
      log: (_level, text) => console.error(text),
      instances: 1,
      children,
      agenda,
    });
  let device = make(plugin(diskWat()), []);
  for (let i = 0; i < count; i++) {
    device = make(plugin(wat, { abi: "3.1", kind: "filter" }), [device]);
  }
  const opened = device.open("", { readOnly: false, peer: "" });
  const request = new Request();
  request.command = Command.Read;
  request.lengthLow = 4096;
  request.space = spaceIn(device.memory);
  return () => {
    for (let left = READS; left > 0; left--) {
      request.clear();
      request.offsetLow = (left & 15) * 4096;
      if (opened.submit(request) !== 0) throw new Error(request.errorText);
    }
  };
}

Deno.bench("1000 reads, no filter", { baseline: true }, reader(NOTHING, 0));
Deno.bench("1000 reads, one filter without sb_pread", reader(NOTHING, 1));
Deno.bench("1000 reads, one filter that forwards", reader(FORWARD, 1));
Deno.bench("1000 reads, five filters that forward", reader(FORWARD, 5));
