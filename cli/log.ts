// SPDX-License-Identifier: MIT
// Where a running server tells what happens: stderr, in the form that its reader wants (a person, a
// file, systemd's journal), or syslog once it is in the background (RFC 3164).

import { printError } from "./output.ts";

/** The levels and their numbers in syslog.h. */
const PRIORITY = { error: 3, warning: 4, info: 6, debug: 7 } as const;
export type LogLevel = keyof typeof PRIORITY;

/** Takes one message. */
export type Log = (level: LogLevel, text: string) => void;

const FACILITY_DAEMON = 3;

/** What decides the form of lines on stderr. */
export interface LogSurroundings {
  terminal: boolean;
  /** stderr is a stream of the journal, which reads a priority in front of each line. */
  journal: boolean;
  verbose: boolean;
  now(): Date;
}

/** A line for stderr, without newline; null for what this reader does not want. */
export function logLine(level: LogLevel, text: string, surroundings: LogSurroundings) {
  const { terminal, journal, verbose, now } = surroundings;
  if (level === "debug" && !verbose) return null;
  const line = `sandblock: ${level}: ${text.replaceAll(/\s*\n\s*/g, " | ")}`;
  if (journal) return `<${PRIORITY[level]}>${line}`;
  return terminal ? line : `${now().toISOString()} ${line}`;
}

/** The log on stderr of this process. */
export function stderrLog(verbose: boolean): Log {
  const terminal = Deno.stderr.isTerminal();
  const journal = !terminal && isJournal(Deno.env.get("JOURNAL_STREAM"));
  const surroundings = { terminal, journal, verbose, now: () => new Date() };
  return (level, text) => {
    const line = logLine(level, text, surroundings);
    if (line !== null) printError(line + "\n");
  };
}

/** JOURNAL_STREAM is `device:inode` of the journal's socket; stderr may have been redirected since. */
function isJournal(stream: string | undefined): boolean {
  if (!stream) return false;
  try {
    const { dev, ino } = Deno.statSync("/proc/self/fd/2");
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}

/** The log in syslog; null where no syslog daemon listens. */
export async function syslog(verbose: boolean): Promise<Log | null> {
  const { connectDatagram, sendDatagram } = await import("../native/datagram.ts");
  let fd: number;
  try {
    fd = connectDatagram("/dev/log");
  } catch {
    return null;
  }
  return (level, text) => {
    if (level === "debug" && !verbose) return;
    const line = `<${FACILITY_DAEMON << 3 | PRIORITY[level]}>sandblock[${Deno.pid}]: ${text}`;
    try {
      sendDatagram(fd, new TextEncoder().encode(line));
    } catch {
      // A log that is lost must not take the server with it.
    }
  };
}
