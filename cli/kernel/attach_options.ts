// SPDX-License-Identifier: MIT
// The options of `sandblock attach`. What it shares with serve is declared there.

import type { OptionTable, OptionValues } from "../declare/declaration.ts";
import { helpOption } from "../commands/shared_options.ts";
import { serveOptions } from "../serve/options.ts";

const since = "0.1.0";

const DEVICE = "The device";
const RUNNING = "How it runs";

/** All options of `attach`. */
export const attachOptions = {
  via: {
    long: "via",
    value: "auto|ublk|bdus|nbd",
    group: DEVICE,
    help: "The way into the kernel; auto takes the best that there is",
    details:
      "ublk is fastest and needs Linux 6.4 or later; bdus is sandblock's own module, to be built; " +
      'nbd is in every kernel. "sandblock doctor" says what this one has.',
    default: "auto",
    complete: ["auto", "ublk", "bdus", "nbd"],
    since,
  },
  device: {
    long: "device",
    value: "DEV",
    group: DEVICE,
    help: "Be this device, such as /dev/nbd3; a free one when not given",
    complete: "file",
    since,
  },
  recover: {
    long: "recover",
    value: "DEV",
    group: DEVICE,
    help: "Take over a device whose process has died",
    details:
      "Requests that had not been answered are answered by the new process. What serves it now " +
      "must hold what the old one had promised to keep, which a file does and memory does not.",
    complete: "file",
    since,
  },
  replace: {
    long: "replace",
    value: "DEV",
    group: DEVICE,
    help: "Take over a device from the process that serves it, while it is in use",
    details:
      "That process finishes what it works on and ends. What it kept to itself, such as what a " +
      "cow filter has in memory, is gone. Through nbd, requests that were under way wait for --timeout.",
    complete: "file",
    since,
  },
  connections: {
    long: "connections",
    value: "N",
    group: DEVICE,
    help: "Sockets between the kernel and this process (nbd)",
    default: "1",
    since,
  },
  queues: {
    long: "queues",
    value: "N",
    group: DEVICE,
    help: "Queues, each on a thread of its own where the plugin is parallel (ublk, bdus)",
    details:
      "The kernel makes no more than there are processors. A device that is taken over keeps its own.",
    default: "1",
    since,
  },
  depth: {
    long: "depth",
    value: "N",
    group: DEVICE,
    help: "Requests that the kernel may have under way, in each queue (ublk, bdus)",
    default: "128",
    since,
  },
  timeout: {
    long: "timeout",
    value: "DURATION",
    group: DEVICE,
    help: "Time that one request may take; 0 for ever (nbd)",
    details:
      "After that the kernel gives the connection up and sends the request on another one; " +
      "without another, the device waits for --recover as if its process had died. Through bdus a " +
      "request fails after this or --recovery-timeout, whichever is longer; ublk waits.",
    default: "30s",
    since,
  },
  recoveryTimeout: {
    long: "recovery-timeout",
    value: "DURATION",
    group: DEVICE,
    help: "How long requests wait for --recover when the process dies; 0 not at all",
    details: "With ublk they wait until the device is recovered or detached.",
    default: "10m",
    since,
  },
  filter: serveOptions.filter,
  allow: serveOptions.allow,
  exportname: {
    ...serveOptions.exportname,
    help: "Name of the export to attach, where the plugin has several",
  },
  readonly: serveOptions.readonly,
  policy: serveOptions.policy,
  restart: serveOptions.restart,
  foreground: {
    short: "f",
    long: "foreground",
    group: RUNNING,
    help: "Stay in the foreground and serve until told to stop",
    since,
  },
  writeback: {
    long: "writeback",
    group: RUNNING,
    help: "Prepare the process for being what memory is written out through",
    details:
      "It tells the kernel that this process writes back (PR_SET_IO_FLUSHER) and is not to be " +
      "killed when memory runs out. That lessens the danger of a deadlock under memory pressure; it " +
      "does not rule it out.",
    since,
  },
  profile: {
    long: "profile",
    group: RUNNING,
    help: 'Count and time requests, for "sandblock status --json"',
    details: "That takes some processor time for each request.",
    since,
  },
  swap: {
    long: "swap",
    group: RUNNING,
    help: "Prepare the process for a swap area on the device: --writeback, with its memory locked",
    details:
      "All memory of the process stays in RAM (mlockall), and it never gives any back. What the " +
      "device stands on must not need memory that has to be swapped out first: see docs/kernel.md.",
    since,
  },
  pidfile: serveOptions.pidfile,
  busyPoll: serveOptions.busyPoll,
  pluginMemory: serveOptions.pluginMemory,
  pluginTimeout: serveOptions.pluginTimeout,
  verbose: serveOptions.verbose,
  help: helpOption,
} as const satisfies OptionTable;

/** Their values after parsing. */
export type AttachValues = OptionValues<typeof attachOptions>;
