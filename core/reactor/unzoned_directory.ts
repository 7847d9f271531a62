// SPDX-License-Identifier: MIT
// The exports of a server as clients of NBD get them: the protocol has no zones, so what has some can be
// read, but not written.

import type { OpenExport } from "../block/device.ts";
import { BlockError, Errno } from "../block/errno.ts";
import type { ExportEntry, ExportInfo } from "../block/export.ts";
import type { ExportDirectory } from "../nbd/directory.ts";

/** Why an export cannot be had over NBD; "" where it can. */
export function zoneRefusal({ name, zones, readOnly }: ExportInfo): string {
  if (zones === undefined || readOnly) return "";
  const what = name === "" ? "the device" : `the export "${name}"`;
  return `cannot serve ${what} over NBD for writing: it is zoned, and NBD knows no zones; ` +
    `serve it read-only (-r), or attach it through ublk`;
}

/** See the top of this file. */
export class UnzonedDirectory implements ExportDirectory {
  readonly #directory: ExportDirectory;

  constructor(directory: ExportDirectory) {
    this.#directory = directory;
  }

  list(): ExportEntry[] {
    return this.#directory.list();
  }

  defaultExport(): string | null {
    return this.#directory.defaultExport();
  }

  open(name: string, mayDefer?: boolean): OpenExport {
    const opened = this.#directory.open(name, mayDefer);
    const refusal = zoneRefusal(opened.info);
    if (refusal === "") return opened;
    opened.close();
    throw new BlockError(Errno.EPERM, refusal);
  }
}
