// SPDX-License-Identifier: MIT
// Faults that people make in plugins, as edits of the correct ones in subjects/, and the check that must
// find each.

/** A text that is there exactly once, and what takes its place. */
export type Edit = readonly [find: string, replace: string];

/** See the top of this file. */
export interface Fault {
  /** What is wrong. */
  name: string;
  edits?: readonly Edit[];
  /** Keys of the manifest that are replaced. */
  manifest?: Record<string, unknown>;
  /** The check that finds it, and what it says. */
  found: string;
  says: RegExp;
}
