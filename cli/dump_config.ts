// SPDX-License-Identifier: MIT
// `serve --dump-config`: what this sandblock is and can do, for scripts. Keys are those of nbdkit
// where it has the same thing; they are stable and only grow in number.

import { ABI_MAJOR, ABI_MINOR } from "../core/plugin/abi.ts";
import { DEFAULT_PORT } from "../core/nbd/wire.ts";
import { pairLines } from "./describe.ts";
import { knownNames } from "./plugins.ts";
import { VERSION } from "./version.ts";

/** `key=value` lines, or JSON. */
export function dumpConfig(json: boolean): string {
  const [major = "", minor = ""] = VERSION.split(".");
  const yes: Record<string, string> = {};
  for (const key of ["exit_with_parent", "filters", "run_default_socket", "socket_activation"]) {
    yes[key] = "yes";
  }
  for (const key of ["tls", "vsock"]) yes[key] = "no";
  const config = {
    ...yes,
    binary: Deno.execPath(),
    default_port: DEFAULT_PORT,
    host_cpu: Deno.build.arch,
    host_os: Deno.build.os,
    max_api_version: `${ABI_MAJOR}.${ABI_MINOR}`,
    name: "sandblock",
    plugins: knownNames().join(","),
    runtime: `deno ${Deno.version.deno}, v8 ${Deno.version.v8}`,
    version: VERSION,
    version_major: major,
    version_minor: minor,
  };
  return json ? JSON.stringify(config, null, 2) + "\n" : pairLines(config);
}
