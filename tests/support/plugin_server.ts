// SPDX-License-Identifier: MIT
// A server with a plugin of the test's own.

import { TestDirectory } from "./directory.ts";
import { TestServer } from "./server.ts";
import { type WatPlugin, watPlugin } from "./wat_plugin.ts";

/** Starts `sandblock serve` with the plugin; `args` are options and parameters. */
export async function servePlugin(
  plugin: WatPlugin,
  args: readonly string[] = [],
): Promise<TestServer> {
  using directory = new TestDirectory();
  const path = directory.write("test.wasm", await watPlugin(plugin));
  // The plugin is read before the server listens, so its file may go.
  return await TestServer.start([path, ...args]);
}
