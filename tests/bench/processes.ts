// SPDX-License-Identifier: MIT
// What the kernel knows of a process and its descendants: CPU time and memory. proc(5).

/** The clock of /proc/PID/stat: sysconf(_SC_CLK_TCK), 100 on every Linux that sandblock runs on. */
const TICKS_PER_SECOND = 100;

/** The fields of /proc/PID/stat that are used here. */
export interface ProcessStat {
  pid: number;
  parent: number;
  /** CPU seconds of the process and of the children it has waited for. */
  cpuSeconds: number;
}

/** Reads a line of /proc/PID/stat. The name in it may hold spaces and parentheses. */
export function parseStat(line: string): ProcessStat {
  const close = line.lastIndexOf(")");
  const fields = line.slice(close + 2).split(" ");
  const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
  return {
    pid: Number.parseInt(line),
    parent: Number(fields[1]),
    cpuSeconds: ticks / TICKS_PER_SECOND,
  };
}

function readText(path: string): string | null {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return null; // it has ended meanwhile
  }
}

/** `pid` and all its descendants that there are now. */
export function processTree(pid: number): ProcessStat[] {
  const all: ProcessStat[] = [];
  for (const entry of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(entry.name)) continue;
    const line = readText(`/proc/${entry.name}/stat`);
    if (line !== null) all.push(parseStat(line));
  }
  const tree = all.filter((stat) => stat.pid === pid);
  for (const parent of tree) tree.push(...all.filter((stat) => stat.parent === parent.pid));
  return tree;
}

/** CPU seconds used so far by `pid`, its descendants, and those of them that have ended. */
export function cpuSeconds(pid: number): number {
  return processTree(pid).reduce((sum, stat) => sum + stat.cpuSeconds, 0);
}

/** CPU seconds of all threads of the tree, exact to the nanosecond; ended threads do not count. */
export function threadSeconds(pid: number): number {
  let nanoseconds = 0;
  for (const stat of processTree(pid)) {
    try {
      for (const task of Deno.readDirSync(`/proc/${stat.pid}/task`)) {
        const line = readText(`/proc/${stat.pid}/task/${task.name}/schedstat`);
        if (line !== null) nanoseconds += Number.parseInt(line);
      }
    } catch { /* it has ended meanwhile */ }
  }
  return nanoseconds / 1e9;
}

/** CPU seconds that the whole machine has been busy so far, time stolen by its host included. */
export function busySeconds(): number {
  return parseBusy(Deno.readTextFileSync("/proc/stat"));
}

/** Busy seconds in the text of /proc/stat: all columns of its first line but idle and iowait. */
export function parseBusy(text: string): number {
  const [user, nice, system, _idle, _iowait, irq, softirq, steal] = text
    .slice("cpu".length, text.indexOf("\n")).trim().split(/\s+/).map(Number);
  return (user! + nice! + system! + irq! + softirq! + steal!) / TICKS_PER_SECOND;
}

/** CPU seconds of this process and of the children that it has waited for (fio among them). */
export function ownCpuSeconds(): number {
  return parseStat(Deno.readTextFileSync("/proc/self/stat")).cpuSeconds;
}

function sumOfKilobytes(pid: number, file: string, field: string): number {
  let sum = 0;
  for (const stat of processTree(pid)) {
    const match = readText(`/proc/${stat.pid}/${file}`)?.match(
      new RegExp(`^${field}:\\s+(\\d+) kB`, "m"),
    );
    if (match) sum += Number(match[1]) * 1024;
  }
  return sum;
}

/** The most memory that the processes of the tree have had resident, in bytes (VmHWM, summed). */
export function peakBytes(pid: number): number {
  return sumOfKilobytes(pid, "status", "VmHWM");
}

/** Memory of the tree now, in bytes; pages shared by n processes count 1/n each (PSS). */
export function residentBytes(pid: number): number {
  return sumOfKilobytes(pid, "smaps_rollup", "Pss");
}
