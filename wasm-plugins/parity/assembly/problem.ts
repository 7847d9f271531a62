// SPDX-License-Identifier: MIT
// Why the array cannot be used, kept until a client can be told.

import { logLine, LogLevel, say, sayNumber } from "../../sdk/assemblyscript/assembly";
import { Phase, setPhase } from "./devices";

export const enum Problem {
  None = 0,
  NoArray = 1,
  Taken = 2,
  Foreign = 3,
  Order = 4,
  Count = 5,
  TwoMissing = 6,
  OtherMissing = 7,
  TooSmall = 8,
  Chunk = 9,
  Journal = 10,
  ReadOnly = 11,
  BlockSize = 12,
  NoDevice = 13,
  Memory = 14,
  Broken = 15,
}

let problem: i32 = Problem.None;
let first: u64 = 0;
let second: u64 = 0;

/** The array cannot be used. What the numbers mean is in `sayProblem`. */
export function setProblem(what: i32, a: u64 = 0, b: u64 = 0): void {
  problem = what;
  first = a;
  second = b;
  setPhase(Phase.Failed);
  sayProblem();
  logLine(LogLevel.Error);
}

export function hasProblem(): bool {
  return problem != Problem.None;
}

function sayDevice(text: string): void {
  say("device ");
  sayNumber(first);
  say(text);
}

/** Says it in words, for `fail` or the log. */
export function sayProblem(): void {
  say("cannot use the array: ");
  if (problem == Problem.NoArray) say("no device is part of one; create=true makes one of them");
  else if (problem == Problem.Taken) sayDevice(" is part of an array already; leave create out to use that");
  else if (problem == Problem.Foreign) sayDevice(" belongs to another array");
  else if (problem == Problem.Order) {
    sayDevice(" is number ");
    sayNumber(second);
    say(" of the array; write the devices in their order");
  } else if (problem == Problem.Count) {
    say("it has ");
    sayNumber(first);
    say(" devices, not ");
    sayNumber(second);
  } else if (problem == Problem.TwoMissing) {
    say("devices ");
    sayNumber(first);
    say(" and ");
    sayNumber(second);
    say(" are missing or out of date; one may be");
  } else if (problem == Problem.OtherMissing) {
    sayDevice(" cannot be rebuilt while device ");
    sayNumber(second);
    say(" is missing");
  } else sayLayoutProblem();
}

function sayLayoutProblem(): void {
  if (problem == Problem.TooSmall) {
    sayDevice(" is too small: it has to have ");
    sayNumber(second);
    say(" bytes");
  } else if (problem == Problem.Chunk) {
    say("a chunk of ");
    sayNumber(first);
    say(" bytes is no power of two");
  } else if (problem == Problem.Journal) {
    say("the journal has to have ");
    sayNumber(first);
    say(" bytes with so many devices and such a chunk");
  } else if (problem == Problem.ReadOnly) sayDevice(" cannot be written to");
  else if (problem == Problem.BlockSize) {
    sayDevice(" has blocks of more than 4096 bytes, or takes less than ");
    sayNumber(second);
    say(" bytes at a time");
  } else if (problem == Problem.NoDevice) {
    sayDevice(" is to be rebuilt, but the devices are 0 to ");
    sayNumber(second);
  } else if (problem == Problem.Memory) say("there is no memory");
  else say("two devices have failed as it was started");
}
