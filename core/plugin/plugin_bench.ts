// SPDX-License-Identifier: MIT
// What plugins cost: deno bench -A core/plugin. A loop, a call and a recursion as they are and rewritten,
// the crossing of the boundary, and a whole read from request to checked answer.

import { Command, Request } from "../block/request.ts";
import { PluginDevice } from "./instance.ts";
import { preparePlugin } from "./prepare.ts";
import { assemble, diskWat, plugin } from "./test_plugins.ts";
import { Watchdog } from "./watch.ts";
import { instantiateAsIs, instantiateRewritten } from "./wasm/test_rewrite.ts";

const CODE = assemble(`(module
  (memory 1)
  (func (export "loop") (param $n i32) (result i32) (local $sum i32)
    (loop $next
      (local.set $sum (i32.add (local.get $sum)
        (i32.load (i32.and (local.get $n) (i32.const 0xfffc)))))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))
  (func $fib (export "fib") (param i32) (result i32)
    (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
        (call $fib (i32.sub (local.get 0) (i32.const 2))))))))`);

const asIs = instantiateAsIs(CODE);
const rewritten = instantiateRewritten(CODE).functions;
const ITERATIONS = 1_000_000;
const FIB = 25;

Deno.bench("a million turns of a loop, as it is", { group: "loop", baseline: true }, () => {
  asIs["loop"]!(ITERATIONS);
});
Deno.bench("a million turns of a loop, rewritten", { group: "loop" }, () => {
  rewritten["loop"]!(ITERATIONS);
});
Deno.bench("250,000 calls of a function, as it is", { group: "recursion", baseline: true }, () => {
  asIs["fib"]!(FIB);
});
Deno.bench("250,000 calls of a function, rewritten", { group: "recursion" }, () => {
  rewritten["fib"]!(FIB);
});

/** A function that makes `times` reads of a RAM disk. */
function reader(is64: boolean): (times: number) => void {
  const device = PluginDevice.create(preparePlugin(plugin(diskWat({}, "", { is64 }))), [], {
    watch: new Watchdog().watch(10_000),
    log: (_level, text) => console.error(text),
    instances: 1,
  });
  const opened = device.open("", { readOnly: false, peer: "" });
  const request = new Request();
  request.command = Command.Read;
  request.lengthLow = 4096;
  return (times) => {
    for (let left = times; left > 0; left--) {
      request.clear();
      request.offsetLow = (left & 15) * 4096;
      if (opened.submit(request) !== 0) throw new Error(request.errorText);
    }
  };
}

const READS = 1000;
const read32 = reader(false);
const read64 = reader(true);
Deno.bench("a thousand reads of a RAM disk with 32-bit memory", { group: "read" }, () => {
  read32(READS);
});
Deno.bench("a thousand reads of a RAM disk with 64-bit memory", { group: "read" }, () => {
  read64(READS);
});
