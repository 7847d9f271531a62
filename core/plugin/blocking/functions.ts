// SPDX-License-Identifier: MIT
// Which functions there are between an instance on a thread of its own and its reactor, by number.

import { type AbiFunction, IMPORTS, Value } from "../abi.ts";

/** Functions that answer requests. */
export const REQUEST_CALLS = [
  "sb_pread",
  "sb_pwrite",
  "sb_flush",
  "sb_trim",
  "sb_zero",
  "sb_cache",
  "sb_extents",
  "sb_secure_erase",
  "sb_ioctl",
] as const;

/** Functions that answer a request and have no result, so that nobody has to wait for them. */
export const DEFERRED: ReadonlySet<string> = new Set([
  "reply_data",
  "reply_buffer",
  "reply_zero",
  "reply_error",
  "reply_restart",
  "extent",
  "metric",
]);

/** A call of nothing, for the sake of what was deferred. */
export const NOTHING = -1;

/** How an imported function crosses. */
export interface ImportedFunction {
  name: string;
  /** Arguments as the host has them: counts and pointers in halves. */
  arity: number;
  /** Its last argument is a token, 0, and it returns when what it does has ended. */
  waits: boolean;
  result: "none" | "signed" | "unsigned" | "big";
}

/** Done on the thread itself: they are about nothing but the instance. */
const LOCAL: ReadonlySet<string> = new Set([
  "error_text",
  "export_add",
  "export_default",
  "peer",
  "log",
  "release",
  "clock",
  "random",
]);

const WAITING_NEXT = /^next_(forward|pread|pwrite|flush|trim|zero|cache|extents|secure|ioctl)/;

/** Functions that end later, and tell by a token, where a plugin does not wait. */
const WAITING: ReadonlySet<string> = new Set([
  ...[...IMPORTS.keys()].filter((name) => WAITING_NEXT.test(name)),
  ...["file_pread", "file_pwrite", "file_sync", "file_zero", "net_open", "net_read", "net_write"],
]);

/** All imports. */
export const IMPORTED: readonly ImportedFunction[] = [...IMPORTS].map(([name, abi]) => ({
  name,
  arity: arityOf(abi),
  waits: WAITING.has(name),
  result: resultOf(abi),
}));

/** Those that the reactor does, with their numbers. */
export const REMOTE: readonly [ImportedFunction, number][] = IMPORTED
  .map((one, index): [ImportedFunction, number] => [one, index])
  .filter(([{ name }]) => !LOCAL.has(name));

function arityOf({ parameters }: AbiFunction): number {
  const halves = parameters.filter((value) => value === Value.Count || value === Value.Pointer);
  return parameters.length + halves.length;
}

function resultOf({ results }: AbiFunction): ImportedFunction["result"] {
  if (results.length === 0) return "none";
  if (results[0] === Value.BigInt) return "big";
  return results[0] === Value.Pointer ? "unsigned" : "signed";
}
