// SPDX-License-Identifier: MIT
// The exports of a server as the handshake sees them.

import type { OpenExport } from "../block/device.ts";
import type { ExportEntry } from "../block/export.ts";

/** A device with everything but the name already decided: who asks, and read-only or not. */
export interface ExportDirectory {
  /** The exports there are now. Throws BlockError. */
  list(): ExportEntry[];
  /** The name that stands for the empty export name; null where there is none. */
  defaultExport(): string | null;
  /**
   * Opens an export. Throws BlockError: ENOENT for a name that does not exist; Elsewhere; or, if
   * `mayDefer`, NotYet.
   */
  open(name: string, mayDefer?: boolean): OpenExport;
}

/** The export is served at another place, where the handshake has to go on. */
export class Elsewhere extends Error {
  constructor(readonly place: number) {
    super(`the export is served at place ${place}`);
    this.name = "Elsewhere";
  }
}
