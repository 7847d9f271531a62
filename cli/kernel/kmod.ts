// SPDX-License-Identifier: MIT
// What `sandblock kmod` does and prints.

import { buildModule, installModule, moduleStatus } from "../../core/kernel/module_install.ts";
import { columns } from "../declare/text.ts";
import { print } from "../output.ts";

/** Says what there is of the module; exit status 2 when it can be neither used nor loaded. */
export function runKmodStatus(json: boolean): number {
  const status = moduleStatus();
  const { release, loaded, version, installed, carried, headers, dkms } = status;
  if (json) print(JSON.stringify(status, null, 2) + "\n");
  else {
    const rows: [string, string][] = [
      ["Kernel", `Linux ${release}`],
      ["Loaded", loaded ? `yes, version ${version ?? "unknown"}` : "no"],
      ["Installed", installed ? "yes" : `no; "sandblock kmod install" does that`],
      ["Carried here", `version ${carried}`],
      [
        "Headers",
        headers ? "installed" : `missing; on Debian: apt install linux-headers-${release}`,
      ],
      ["DKMS", dkms ? "installed" : "not installed; every new kernel needs the module anew"],
    ];
    print(columns(rows, 16).join("\n") + "\n");
  }
  return loaded || installed ? 0 : 2;
}

/** Builds the module and prints where it is. */
export async function runKmodBuild(folder: string): Promise<number> {
  print(`${await buildModule(folder)}\n`);
  return 0;
}

/** Installs the module and says how. */
export async function runKmodInstall(): Promise<number> {
  print(`${await installModule()}\n`);
  return 0;
}
