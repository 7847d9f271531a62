// SPDX-License-Identifier: MIT
// The words of the policy language: what can be tested and with which operators, and the names of
// commands, flags, transports and weekdays. Parser, checker, explanation and manual read it.

import { Errno } from "../block/errno.ts";
import { Command, RequestFlag } from "../block/request.ts";

/** Kinds of values. Sets have elements of one of them. */
export type ValueType =
  | "bytes"
  | "id"
  | "command"
  | "flag"
  | "string"
  | "address"
  | "transport"
  | "time"
  | "weekday";

/** How messages call the kinds. */
export const TYPE_NAMES: Readonly<Record<ValueType, string>> = {
  bytes: "a number of bytes such as 4096, 64K or 1.5G",
  id: "a number",
  command: "a command",
  flag: "a flag",
  string: 'a string such as "disk"',
  address: "an address such as 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32",
  transport: "a transport",
  time: "a time of day such as 22:30",
  weekday: "a weekday",
};

/** What a condition can ask about. */
export interface Field {
  readonly type: ValueType;
  readonly operators: readonly string[];
  /** Known when the client has connected, so it is not looked at again for each request. */
  readonly fixed: boolean;
}

const EQUALITY = ["==", "!=", "in"] as const;
const ORDER = ["==", "!=", "<", "<=", ">", ">=", "in"] as const;

function field(type: ValueType, operators: readonly string[], fixed = false): Field {
  return { type, operators, fixed };
}

/** All fields. A value of the kind `bytes` is 0 to 2^63-1, of the kind `id` 0 to 2^32-1. */
export const FIELDS: ReadonlyMap<string, Field> = new Map(Object.entries({
  command: field("command", EQUALITY),
  flags: field("flag", ["has", "in"]),
  offset: field("bytes", [...ORDER, "aligned"]),
  length: field("bytes", [...ORDER, "aligned"]),
  end: field("bytes", [...ORDER, "aligned"]),
  range: field("bytes", ["in", "overlaps", "aligned"]),
  export: field("string", [...EQUALITY, "like"], true),
  "peer.transport": field("transport", EQUALITY, true),
  "peer.address": field("address", EQUALITY, true),
  "peer.uid": field("id", ORDER, true),
  "peer.gid": field("id", ORDER, true),
  "peer.pid": field("id", ORDER, true),
  "tls.identity": field("string", [...EQUALITY, "like"], true),
  time: field("time", ["in", "<", ">="]),
  weekday: field("weekday", EQUALITY),
}));

/** Commands that policies see, by name. Disconnecting is always possible. */
export const COMMANDS: ReadonlyMap<string, number> = new Map([
  ["read", Command.Read],
  ["write", Command.Write],
  ["flush", Command.Flush],
  ["trim", Command.Trim],
  ["cache", Command.Cache],
  ["write-zeroes", Command.WriteZeroes],
  ["block-status", Command.BlockStatus],
  ["secure-erase", Command.SecureErase],
  ["ioctl", Command.Ioctl],
]);

/** Flags of requests by name. */
export const FLAGS: ReadonlyMap<string, number> = new Map([
  ["fua", RequestFlag.Fua],
  ["no-hole", RequestFlag.NoHole],
  ["df", RequestFlag.Df],
  ["req-one", RequestFlag.ReqOne],
  ["fast-zero", RequestFlag.FastZero],
]);

/** Ways in which clients connect, by name; the numbers are bits. */
export const TRANSPORTS: ReadonlyMap<string, number> = new Map([["tcp", 1], ["unix", 2], [
  "other",
  4,
]]);

/** Weekdays by name, counted from Monday = 0 as ISO 8601 does. */
export const WEEKDAYS: ReadonlyMap<string, number> = new Map(
  ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].map((name, day) => [name, day]),
);

/** Words that begin statements. */
export const STATEMENT_WORDS = ["default", "let", "timezone", "allow", "errno", "log", "kill"];
/** Operators that are words. */
export const WORD_OPERATORS = ["in", "like", "has", "aligned", "overlaps"];

/** Error names that a rule may answer with. */
export const ERRNO_NAMES: readonly string[] = Object.keys(Errno);

/** The name of `value` in one of the tables above. */
export function nameOf(table: ReadonlyMap<string, number>, value: number): string {
  for (const [name, number] of table) if (number === value) return name;
  return `${value}`;
}
