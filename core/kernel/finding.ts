// SPDX-License-Identifier: MIT
// What `sandblock doctor` has found out about one thing.

/** See the top of this file. */
export interface Finding {
  /** What was looked at: `nbd`, `ublk`. */
  subject: string;
  ok: boolean;
  fact: string;
  /** What to do about a gap; empty where there is nothing to do. */
  advice: string;
}

/** Something that is as it should be. */
export function good(subject: string, fact: string, advice = ""): Finding {
  return { subject, ok: true, fact, advice };
}

/** A gap, and what to do about it. */
export function gap(subject: string, fact: string, advice: string): Finding {
  return { subject, ok: false, fact, advice };
}

/** What a file below /proc or /boot says; null where there is none. */
export function readProc(path: string): string | null {
  try {
    return Deno.readTextFileSync(path).trim();
  } catch {
    return null;
  }
}
