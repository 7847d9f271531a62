// SPDX-License-Identifier: MIT
// Runs a compiled policy for a request and a client as the host does, for tests and `policy test`.

import type { ConnectionFacts } from "./connection.ts";
import { holds, type Subject } from "./interpret.ts";
import { CHECK, CLOCK } from "./module.ts";
import type { Condition } from "./program.ts";

const NOTHING: Subject = { command: 0, flags: 0, offset: 0n, length: 0n, weekday: 0, second: 0 };

/** The two words of the context: a bit for each condition that holds for the client. */
export function contextOf(conditions: readonly Condition[], facts: ConnectionFacts) {
  let [high, low] = [0, 0];
  for (const [bit, condition] of conditions.entries()) {
    if (!holds(condition, NOTHING, facts)) continue;
    if (bit < 32) low |= 1 << bit;
    else high |= 1 << (bit - 32);
  }
  return { high, low };
}

/** What a module exports. */
export type Check = (...words: number[]) => number;

/** The verdict of an instance on a request. */
export function verdictOn(
  instance: WebAssembly.Instance,
  conditions: readonly Condition[],
  subject: Subject,
  facts: ConnectionFacts,
): number {
  const { high, low } = contextOf(conditions, facts);
  const { command, flags, offset, length, weekday, second } = subject;
  (instance.exports[CLOCK] as Check | undefined)?.(weekday, second);
  const words = [offset >> 32n, offset, length >> 32n, length].map((word) => {
    return Number(BigInt.asIntN(32, word));
  });
  return (instance.exports[CHECK] as Check)(command, flags, ...words, high, low);
}
