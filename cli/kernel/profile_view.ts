// SPDX-License-Identifier: MIT
// What attach --profile has counted, put together over all threads of a device.

import type { ServerMetrics } from "../../core/control/metrics_text.ts";

/** Requests of one command. */
export interface CommandProfile {
  requests: number;
  bytes: number;
  errors: number;
  /** Time that the device has taken for all of them; requests overlap. */
  microseconds: number;
  /** How many took at most so many microseconds, and more than the bound before; null: more than all. */
  histogram: { atMost: number | null; requests: number }[];
}

/** By command: read, write, flush, trim, zero. */
export type Profile = Record<string, CommandProfile>;

/** The sum of what each thread has counted; null where nothing was. */
export function profileOf(metrics: ServerMetrics | null): Profile | null {
  const nodes = (metrics?.devices ?? []).flatMap(({ nodes }) => nodes)
    .filter(({ node }) => node === "all");
  if (nodes.length === 0) return null;
  const profile: Profile = {};
  for (const { name, value, bounds, counts } of nodes.flatMap(({ samples }) => samples)) {
    const [, command, what] = /^(\w+?)_(\w+)$/.exec(name)!;
    const sums = profile[command!] ??= emptyProfile();
    if (what === "bytes" || what === "errors") sums[what] += value;
    else addHistogram(sums, value, bounds, counts);
  }
  return profile;
}

/** Lines for people: how long requests take in all, as the kernel sees it, and in the device. */
export function profileRows(
  profile: Profile,
  kernelMs: Record<string, number>,
): [string, string][] {
  return Object.entries(profile).filter(([, { requests }]) => requests > 0).map(
    ([command, sums]) => {
      const { requests, microseconds, errors } = sums;
      const device = `${Math.round(microseconds / requests)} us in the device`;
      const inAll = kernelMs[command];
      const kernel = inAll === undefined
        ? ""
        : `, ${Math.round(inAll * 1000 / requests)} us as the kernel sees it`;
      const failed = errors > 0 ? `, ${errors} failed` : "";
      return [command, `${requests} requests, on average ${device}${kernel}${failed}`];
    },
  );
}

function emptyProfile(): CommandProfile {
  return { requests: 0, bytes: 0, errors: 0, microseconds: 0, histogram: [] };
}

function addHistogram(
  sums: CommandProfile,
  value: number,
  bounds: readonly number[],
  counts: readonly number[],
): void {
  sums.microseconds += value;
  counts.forEach((requests, i) => {
    const bucket = sums.histogram[i] ??= { atMost: bounds[i] ?? null, requests: 0 };
    bucket.requests += requests;
    sums.requests += requests;
  });
}
