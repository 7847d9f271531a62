// SPDX-License-Identifier: MIT
// Threads that are in a long call into a plugin get what the others leave of the processors, so that a
// plugin that loops takes no more from other devices than it must.

import {
  mayHaveNice,
  NICE_MAX,
  setThreadNice,
  threadId,
  threadNice,
} from "../../native/priority.ts";

/** What the watchdog tells about calls; see core/plugin/watch.ts. */
export interface LongCalls {
  /** A call on this thread takes long. May be told again and again. */
  long(thread: number): void;
  /** It has ended. */
  over(thread: number): void;
}

/** Who does so; null where this process may not take back what it gives away. */
export function longCalls(): LongCalls | null {
  const usual = threadNice(threadId());
  if (usual >= NICE_MAX || !mayHaveNice(usual)) return null;
  return {
    long: (thread) => void setThreadNice(thread, NICE_MAX),
    over: (thread) => void setThreadNice(thread, usual),
  };
}
