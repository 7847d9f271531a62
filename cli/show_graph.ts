// SPDX-License-Identifier: MIT
// Starts a device, looks at its nodes and closes it again.

import { buildDevice } from "../core/graph/build.ts";
import { graphLines, viewGraph } from "../core/graph/describe.ts";
import { pluginNodes } from "../core/graph/nodes.ts";
import { LIMITS_DEFAULT } from "../core/control/options.ts";
import { Watchdog } from "../core/plugin/watch.ts";
import { type DevicePlan, prepareDevice } from "./serve/device.ts";

/** The text of `graph show`. Throws Error with one sentence. */
export function showGraph(plan: DevicePlan, how: { readOnly: boolean; json: boolean }): string {
  const options = prepareDevice(plan);
  // Nobody is watching: the calls are on the only thread there is, which the user can interrupt.
  const watchdog = new Watchdog();
  const watches = pluginNodes(options).map(() => watchdog.watch(LIMITS_DEFAULT.pluginTimeoutMs));
  watchdog.stop();
  const device = buildDevice(options, {
    watches,
    log: (level, text) => {
      if (level === "error" || level === "warning") console.error(`${level}: ${text}`);
    },
    instances: 1,
  });
  try {
    const name = device.defaultExport() ?? device.list()[0]?.name;
    if (name === undefined) throw new Error("cannot show the graph: the device has no export");
    const opened = device.open(name, { readOnly: how.readOnly, peer: "" });
    try {
      const view = viewGraph(options, opened);
      return how.json
        ? JSON.stringify(view, null, 2) + "\n"
        : graphLines(view).map((line) => `${line.trimEnd()}\n`).join("");
    } finally {
      opened.close();
    }
  } finally {
    device.close();
  }
}
