// SPDX-License-Identifier: MIT
// What a policy costs per request: deno bench -A core/policy. Fifty rules of the usual kinds, asked
// about requests that the first, a middle and the last of them decide; a thousand requests a turn.

import { Command, Request } from "../block/request.ts";
import { connectionFacts } from "./connection.ts";
import { Guard, PolicyInstance } from "./guard.ts";
import { loadPolicy } from "./loaded.ts";

const REQUESTS = 1000;

/** A policy of 50 rules. Each is about another range of writes or another client. */
function fiftyRules(clock: boolean): string {
  const rules = Array.from({ length: 46 }, (_, i) => {
    const range = `${i * 10}G..+${512 * (i + 1)}M`;
    if (i % 5 === 0) return `errno EIO write if peer.uid == ${i + 5} and range overlaps ${range}`;
    if (i % 5 === 1) return `errno EINVAL if offset in ${range} and length not aligned 4K`;
    if (i % 5 === 2) return `errno EPERM write, trim if range overlaps ${range} and length > 64K`;
    if (i % 5 === 3) return `errno EPERM write if end in ${range} and flags has fua`;
    return `allow read, write if range in ${range}${clock ? " and time in 02:00..23:00" : ""}`;
  });
  const first = "errno EPERM if range overlaps 0..1M";
  const last = [
    "errno EINVAL trim if length > 1G",
    "allow read, flush",
    "allow if peer.uid == 1000",
  ];
  return ["default errno EPERM", first, ...rules, ...last].join("\n") + "\n";
}

/** Requests at places `step` apart from `from`. */
function requests(command: number, from: number, step: number): Request[] {
  return Array.from({ length: REQUESTS }, (_, i) => {
    const request = new Request();
    const offset = from + i * step;
    request.command = command;
    request.offsetHigh = Math.floor(offset / 2 ** 32);
    request.offsetLow = offset % 2 ** 32;
    request.lengthLow = 4096;
    return request;
  });
}

function guardOf(source: string): { instance: PolicyInstance; guard: Guard } {
  const { policy } = loadPolicy(new TextEncoder().encode(source), "bench");
  const instance = new PolicyInstance(policy, () => {});
  const peer = "unix:pid=1,uid=1000,gid=1000";
  return { instance, guard: new Guard(instance, connectionFacts(peer, "disk"), peer) };
}

const plain = guardOf(fiftyRules(false));
const clocked = guardOf(fiftyRules(true));
const allow = guardOf("default allow\n");

/** Batches of 16 requests, as a client at that depth makes them. */
function ask({ instance, guard }: ReturnType<typeof guardOf>, asked: readonly Request[]): void {
  let verdicts = 0;
  for (const [i, request] of asked.entries()) {
    if (i % 16 === 0) instance.tick();
    verdicts += guard.check(request);
  }
  if (verdicts !== 0) throw new Error("A request was refused");
}

// 600 GiB is behind all ranges, so every rule is looked at.
const late = requests(Command.Write, 600 * 2 ** 30, 4096);
const reads = requests(Command.Read, 600 * 2 ** 30, 4096);
const middle = requests(Command.Write, 240 * 2 ** 30, 4096);

Deno.bench("1000 requests, no rules", { group: "policy", baseline: true }, () => {
  ask(allow, late);
});
Deno.bench("1000 writes, the last of 50 rules decides", { group: "policy" }, () => {
  ask(plain, late);
});
Deno.bench("1000 reads, the last but one of 50 rules decides", { group: "policy" }, () => {
  ask(plain, reads);
});
Deno.bench("1000 writes, a middle one of 50 rules decides", { group: "policy" }, () => {
  ask(plain, middle);
});
Deno.bench("1000 writes, the last of 50 rules decides, with the clock", { group: "policy" }, () => {
  ask(clocked, late);
});
