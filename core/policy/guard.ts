// SPDX-License-Identifier: MIT
// Asks a policy about each request of one client. What is known of the client is looked at once, when
// the guard is made; after that a request costs one call with integers.

import { Errno, errnoName } from "../block/errno.ts";
import { Command, type Request } from "../block/request.ts";
import { describeCommand } from "../nbd/describe.ts";
import { LogLimit } from "../plugin/log_limit.ts";
import { type Check, contextOf } from "./check_words.ts";
import type { ConnectionFacts } from "./connection.ts";
import { decide, isWithoutRange } from "./interpret.ts";
import type { Policy } from "./loaded.ts";
import { CHECK, CLOCK, Verdict } from "./module.ts";

/** What `check` returns besides 0 and an errno: the connection is to be closed. */
export const KILL = -2;

/** Largest errno that a verdict may hold; what is larger and not KILL is a fault of the module. */
const ERRNO_MAX = 133;
const EIO = 5;
const SECOND_MS = 1000;

type Log = (level: "error" | "warning" | "info" | "debug", text: string) => void;

/** A policy on one thread: an instance that serves all guards there, and the clock it sees. */
export class PolicyInstance {
  readonly policy: Policy;
  readonly check: Check;
  readonly log: LogLimit;
  weekday = 0;
  second = 0;

  readonly #clock: ((weekday: number, second: number) => void) | null;
  readonly #now: () => number;
  #nextTickMs = -Infinity;
  #lastMs = Infinity;

  /** `now` gives milliseconds since 1970. */
  constructor(policy: Policy, log: Log, now: () => number = Date.now) {
    const { exports } = new WebAssembly.Instance(policy.module);
    this.policy = policy;
    this.check = exports[CHECK] as Check;
    this.#clock = policy.verified.clock ? exports[CLOCK] as unknown as Check : null;
    this.#now = now;
    this.log = new LogLimit(log);
    this.tick();
  }

  /**
   * Tells the module the time if it wants to know it and a second has passed. Called before a batch
   * of requests is looked at: asking the system for each of them would cost more than all rules.
   */
  tick(): void {
    if (this.#clock === null) return;
    const now = this.#now();
    // A clock that was set back must not stop until it has caught up.
    if (now < this.#nextTickMs && now >= this.#lastMs) return;
    this.#lastMs = now;
    this.#nextTickMs = now - now % SECOND_MS + SECOND_MS;
    const date = new Date(now);
    const utc = this.policy.timezone === "utc";
    const day = utc ? date.getUTCDay() : date.getDay();
    const [hours, minutes, seconds] = utc
      ? [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()]
      : [date.getHours(), date.getMinutes(), date.getSeconds()];
    this.weekday = (day + 6) % 7;
    this.second = hours * 3600 + minutes * 60 + seconds;
    this.#clock(this.weekday, this.second);
  }
}

/** See the top of this file. */
export class Guard {
  readonly #instance: PolicyInstance;
  readonly #check: Check;
  readonly #facts: ConnectionFacts;
  readonly #peer: string;
  readonly #high: number;
  readonly #low: number;

  /** `peer` is how log lines call the client. */
  constructor(instance: PolicyInstance, facts: ConnectionFacts, peer: string) {
    const { high, low } = contextOf(instance.policy.conditions, facts);
    this.#instance = instance;
    this.#check = instance.check;
    this.#facts = facts;
    this.#peer = peer;
    this.#high = high;
    this.#low = low;
  }

  /**
   * Decides about a request that is valid: 0 (go on), an errno or KILL. Where it is refused,
   * `request.errorText` says by what.
   */
  check(request: Request): number {
    const { command, flags } = request;
    // Offset and length of a flush are reserved: nothing may be decided by them.
    const verdict = command === Command.Flush
      ? this.#check(command, flags, 0, 0, 0, 0, this.#high, this.#low)
      : command >= Command.SecureErase
      ? this.#checkLater(request)
      : this.#check(
        command,
        flags,
        request.offsetHigh,
        request.offsetLow,
        request.lengthHigh,
        request.lengthLow,
        this.#high,
        this.#low,
      );
    return (verdict & (Verdict.ActionMask | Verdict.Log)) === 0 ? 0 : this.#act(verdict, request);
  }

  /** The verdict on a command that came later than policies. */
  #checkLater({ command, flags, offsetHigh, offsetLow, lengthHigh, lengthLow }: Request): number {
    if (!this.#instance.policy.knowsLater) return Errno.EPERM;
    if (isWithoutRange(command)) {
      return this.#check(command, flags, 0, 0, 0, 0, this.#high, this.#low);
    }
    const [high, low] = [this.#high, this.#low];
    return this.#check(command, flags, offsetHigh, offsetLow, lengthHigh, lengthLow, high, low);
  }

  #act(verdict: number, request: Request): number {
    const action = verdict & Verdict.ActionMask;
    const why = this.#reason(verdict);
    if ((verdict & Verdict.Log) !== 0) this.#log(verdict, request);
    if (action === 0) return 0;
    const what = describeCommand(request.command);
    if (action === Verdict.Kill) {
      const range = rangeText(request);
      this.#report("warning", `${this.#peer}: closed by ${why}: ${what}${range}`, "kill");
      return KILL;
    }
    request.pieceCount = 0;
    if (action <= ERRNO_MAX) {
      request.errorText = `${what} is refused by ${why}`;
      return action;
    }
    request.errorText = "the policy gives a verdict that means nothing";
    this.#report("error", `${this.#policyName}: verdict 0x${verdict.toString(16)}`, "fault");
    return EIO;
  }

  /** A line for each rule that logs; a module that logs gets one line. */
  #log(verdict: number, request: Request): void {
    const { policy, weekday, second } = this.#instance;
    const { command, flags, offsetHigh, offsetLow, lengthHigh, lengthLow } = request;
    const action = verdict & Verdict.ActionMask;
    const outcome = action === 0
      ? "allowed"
      : action === Verdict.Kill
      ? "killed"
      : errnoName(action);
    const what = `${describeCommand(command)}${rangeText(request)}: ${outcome}`;
    const bytes = (high: number, low: number) => BigInt(high) * 2n ** 32n + BigInt(low);
    const isBare = isWithoutRange(command);
    const offset = isBare ? 0n : bytes(offsetHigh, offsetLow);
    const length = isBare ? 0n : bytes(lengthHigh, lengthLow);
    const subject = { command, flags, offset, length, weekday, second };
    const rules = policy.program
      ? decide(policy.program, subject, this.#facts).logs.map((rule) => policy.reasons[rule + 1]!)
      : [this.#reason(verdict)];
    for (const rule of rules) this.#report("info", `${this.#peer}: ${rule}: ${what}`, rule);
  }

  #reason(verdict: number): string {
    const number = verdict >> Verdict.ReasonShift & Verdict.ReasonMask;
    return this.#instance.policy.reasons[number] ?? `reason ${number}`;
  }

  get #policyName(): string {
    return this.#instance.policy.name;
  }

  #report(level: "info" | "warning" | "error", text: string, kind: string): void {
    this.#instance.log.log(kind, level, `policy: ${text}`);
  }
}

function rangeText(request: Request): string {
  if (request.command === Command.Ioctl) return ` 0x${request.ioctl.toString(16)}`;
  if (isWithoutRange(request.command)) return "";
  return ` of ${request.length} bytes at ${request.offset}`;
}
