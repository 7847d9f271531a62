// SPDX-License-Identifier: MIT
// Collects what a plugin says about its exports through export_add and export_default, while it is
// asked to (ABI, "Exports of a plugin").

import type { ExportEntry } from "../block/export.ts";
import type { Host } from "./host.ts";

/** Exports that a plugin may list. */
export const EXPORTS_MAX = 16384;

/** What the plugin is asked for at the moment. */
export const Ask = { Nothing: 0, List: 1, Default: 2, Description: 3 } as const;

/** See the top of this file. */
export class Listing {
  asked: number = Ask.Nothing;
  entries: ExportEntry[] = [];
  default: string | null = null;

  /** Calls `call` by `run` and collects what it says. Throws BlockError when it cannot `what`. */
  ask(host: Host, ask: number, call: string, what: string, run: () => number): void {
    this.asked = ask;
    this.entries = [];
    this.default = null;
    try {
      host.controlStatus(call, what, run);
    } finally {
      this.asked = Ask.Nothing;
    }
  }

  /** Takes an export. Returns what is wrong with that, or "". */
  add(name: string, description: string): string {
    const max = this.asked === Ask.List ? EXPORTS_MAX : this.asked === Ask.Description ? 1 : 0;
    if (max === 0) return "export_add: it was not asked for exports";
    if (this.entries.length >= max) return `export_add: more than ${max}`;
    this.entries.push({ name, description });
    return "";
  }

  /** Takes the name of the default export. Returns what is wrong with that, or "". */
  setDefault(name: string): string {
    if (this.asked !== Ask.Default) return "export_default: it was not asked for the default";
    if (this.default !== null) return "export_default: called twice";
    this.default = name;
    return "";
  }
}
