// SPDX-License-Identifier: MIT
// What goes between a reactor and the threads of instances besides the words of a channel, on a port.

import type { LogLevel } from "../instance.ts";
import type { Grants } from "../grants.ts";
import type { ParameterValue } from "../parameters.ts";
import type { PreparedPlugin } from "../prepare.ts";
import type { Watch } from "../watch.ts";

/** What the names of these threads begin with; the descriptor to ring follows. */
export const INSTANCE_THREAD = "instance ";

/** The first message to a thread. */
export interface ThreadStart {
  prepared: PreparedPlugin;
  values: readonly ParameterValue[];
  grants: Grants;
  watch: Watch;
  channel: SharedArrayBuffer;
  port: MessagePort;
}

/** What a thread is to do besides answering requests. */
export type Order =
  /** Make another instance in place of the one it has, which has failed. */
  | { kind: "renew" }
  /** Requests may come for an export by this number; it is opened for the first. */
  | { kind: "open"; number: number; name: string; readOnly: boolean; peer: string }
  | { kind: "close"; number: number }
  /** Stop. The last order. */
  | { kind: "stop" };

/** What a thread has to say. */
export type Report =
  | { kind: "log"; level: LogLevel; text: string }
  /** More about the call that has ended, or the instance that could not be made. */
  | { kind: "call"; failed: boolean; lie: string; text: string };
