// SPDX-License-Identifier: MIT
// What is known about attached devices, for people and as JSON.

import { type AdminAnswer, askAdmin } from "../../core/kernel/admin.ts";
import { isAttached } from "../../core/kernel/attach.ts";
import { describeBdus } from "../../core/kernel/bdus_front.ts";
import type { BdusDescription } from "../../core/kernel/bdus_ring_abi.ts";
import { parseDevice } from "../../core/kernel/names.ts";
import { type DeviceRecord, readRecord, readRecords, socketPath } from "../../core/kernel/state.ts";
import { blockDeviceSize, readSysfs } from "../../core/kernel/sysfs.ts";
import type { ServerMetrics } from "../../core/control/metrics_text.ts";
import { bytesText } from "../describe.ts";
import { columns } from "../declare/text.ts";
import { print } from "../output.ts";
import { type Profile, profileOf, profileRows } from "./profile_view.ts";

/**
 * served: its process lives. abandoned: the kernel has it, its process has died. gone: neither, only
 * the record is left.
 */
export type Condition = "served" | "abandoned" | "gone";

/** Fields of /sys/block/NAME/stat that are worth telling, by position. */
const COUNTERS = {
  reads: 0,
  sectorsRead: 2,
  readMs: 3,
  writes: 4,
  sectorsWritten: 6,
  writeMs: 7,
  inFlight: 8,
  discards: 11,
  discardMs: 14,
  flushes: 15,
  flushMs: 16,
} as const;

/** Prints all devices. */
export async function runList(json: boolean): Promise<number> {
  const devices = await Promise.all(readRecords().map(view));
  if (json) {
    print(JSON.stringify(devices, null, 2) + "\n");
    return 0;
  }
  const rows = devices.map(({ record, condition }) => {
    const { device, via, size, pid, graph } = record;
    const words = [device, via, bytesText(Number(size)), condition, `${pid}`, graph.join(" ")];
    return words;
  });
  if (rows.length > 0) print(table([["DEVICE", "VIA", "SIZE", "IS", "PID", "SERVES"], ...rows]));
  return 0;
}

/** Prints one device; exit status 2 where no process serves it. */
export async function runStatus(text: string, json: boolean): Promise<number> {
  const device = parseDevice(text);
  const record = readRecord(device.name);
  if (record === null) {
    throw new Error(
      `cannot show ${device.path}: sandblock has not attached it; see "sandblock list"`,
    );
  }
  const profile = profileOf(await metricsOf(device.name));
  const shown = await view(record);
  print(json ? JSON.stringify({ ...shown, profile }, null, 2) + "\n" : statusText(shown, profile));
  return shown.condition === "served" ? 0 : 2;
}

/** What the process of a device counts; null where none serves it. */
async function metricsOf(name: string): Promise<ServerMetrics | null> {
  const answer = await askAdmin(socketPath(name), { command: "metrics" }).catch(() => null);
  return answer === null ? null : answer["metrics"] as ServerMetrics | null;
}

interface View {
  record: DeviceRecord;
  condition: Condition;
  /** What the kernel counts; null where it does not have the device. */
  counters: Record<keyof typeof COUNTERS, number> | null;
  kernelSize: string | null;
  /** The remote server that has it now; null where there is none. */
  server: string | null;
  /** What the module bdus says; null for devices of other drivers. */
  bdus: BdusDescription | null;
}

async function view(record: DeviceRecord): Promise<View> {
  const { name } = record;
  const { via, index } = parseDevice(name);
  const answer = await askAdmin(socketPath(name), { command: "status" });
  return {
    record,
    condition: conditionBy(answer, name),
    server: (answer?.["server"] ?? null) as string | null,
    counters: countersOf(name),
    kernelSize: blockDeviceSize(name)?.toString() ?? null,
    bdus: via === "bdus" ? describeBdus(index) : null,
  };
}

/** See Condition. */
export async function conditionOf({ name }: DeviceRecord): Promise<Condition> {
  return conditionBy(await askAdmin(socketPath(name), { command: "status" }), name);
}

function conditionBy(answer: AdminAnswer | null, name: string): Condition {
  if (answer !== null) return "served";
  return isAttached(parseDevice(name)) ? "abandoned" : "gone";
}

function countersOf(name: string): View["counters"] {
  const words = readSysfs(`block/${name}/stat`)?.split(/\s+/);
  if (!words) return null;
  const entries = Object.entries(COUNTERS).map(([key, at]) => [key, Number(words[at] ?? 0)]);
  return Object.fromEntries(entries);
}

function statusText(view: View, profile: Profile | null): string {
  const { record, condition, counters, bdus, server } = view;
  const rows: [string, string][] = [
    ["Is", condition],
    ["Via", record.via],
    ["Serves", record.graph.join(" ")],
    ...server === null ? [] : [["Server", server] as [string, string]],
    ["Process", `${record.pid}, since ${record.since}`],
    ["Size", `${record.size} bytes in blocks of ${record.blockSize}`],
    ["Writable", record.readOnly ? "no" : "yes"],
  ];
  if (record.via === "nbd") rows.push(["Connections", `${record.connections}`]);
  else rows.push(["Queues", `${record.queues ?? 1} of ${record.depth} requests`]);
  if (bdus !== null) {
    const { state, driver, queues } = bdus;
    const by = driver === 0 ? "no process drives it" : `driven by process ${driver}`;
    rows.push(["Module", `${state}, ${by}, ${queues === 0 ? "without rings" : "with a ring"}`]);
  }
  if (counters !== null) {
    const { reads, writes, discards, flushes, inFlight } = counters;
    rows.push([
      "Requests",
      `${reads} reads, ${writes} writes, ${discards} discards, ${flushes} flushes, ` +
      `${inFlight} under way`,
    ]);
    const { readMs, writeMs, discardMs, flushMs } = counters;
    const kernelMs = { read: readMs, write: writeMs, trim: discardMs, flush: flushMs };
    if (profile !== null) rows.push(...profileRows(profile, kernelMs));
  }
  return [record.device, ...columns(rows, 16)].join("\n") + "\n";
}

/** Columns as wide as they have to be. */
function table(rows: readonly string[][]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows
    .map((row) => row.map((word, i) => word.padEnd(widths[i]!)).join("  ").trimEnd() + "\n")
    .join("");
}
