// SPDX-License-Identifier: MIT
// What the component form costs beside the core form: deno bench -A core/plugin/component. The same
// RAM disk, once as a module and once as a component.

import { Command, Request } from "../../block/request.ts";
import { PluginDevice } from "../instance.ts";
import { preparePlugin } from "../prepare.ts";
import { diskWat, plugin } from "../test_plugins.ts";
import { Watchdog } from "../watch.ts";
import { component, componentWat } from "./test_component.ts";

/** Makes `times` requests of a kind. */
type Run = (command: number, times: number) => void;

function runner(bytes: Uint8Array): Run {
  const device = PluginDevice.create(preparePlugin(bytes), [], {
    watch: new Watchdog().watch(10_000),
    log: (_level, text) => console.error(text),
    instances: 1,
  });
  const opened = device.open("", { readOnly: false, peer: "" });
  const { memory } = device;
  const payload = memory.allocate(4096, 16);
  const request = new Request();
  // Answers always come to the same place, as they do from a server at rest.
  const room = memory.allocate(4096, 16);
  request.space = { memory, take: () => memory.address + room };
  request.lengthLow = 4096;
  request.payload = memory.address + payload;
  return (command, times) => {
    request.command = command;
    for (let left = times; left > 0; left--) {
      request.clear();
      request.offsetLow = (left & 15) * 4096;
      if (opened.submit(request) !== 0) throw new Error(request.errorText);
    }
  };
}

const FLUSH = `(func (export "sb_flush") (param i32 i32 i32) (result i32) (i32.const 0))`;
const REQUESTS = 1000;
const asModule = runner(plugin(diskWat({ sb_flush: FLUSH })));
const asComponent = runner(component(componentWat()));
const KINDS: [string, number][] = [
  ["flushes", Command.Flush],
  ["reads of 4 KiB", Command.Read],
  ["writes of 4 KiB", Command.Write],
];

for (const [name, command] of KINDS) {
  Deno.bench(`a thousand ${name}, module`, { group: name, baseline: true }, () => {
    asModule(command, REQUESTS);
  });
  Deno.bench(`a thousand ${name}, component`, { group: name }, () => {
    asComponent(command, REQUESTS);
  });
}
