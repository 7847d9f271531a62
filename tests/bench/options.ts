// SPDX-License-Identifier: MIT
// The command line of the benchmark.

import { selectStacks, type Stack } from "./filter_stacks.ts";
import { newerPeers } from "../peers.ts";
import { parseArgs } from "node:util";
import { MEDIA, type Medium, type Row, ROWS, selectRows } from "./rows.ts";

export const HELP = `Usage: deno task bench [options]

Runs the same loads (fio's nbd engine over a unix socket) on sandblock and on its peers in turn, and
prints medians, ratios, CPU, memory, and whether sandblock reaches what it promises.

  --quick                 Few rows, 1 s runs, 3 repetitions, no measurements without load
  --rows NAME,...         Only these rows: randread-16 (both media), file/write-1m, randread-1x4
  --media memory,file     Only rows of these media
  --servers NAME,...      Only these: sandblock limit nbdkit nbdkit-new qemu-nbd qemu-nbd-new
                          nbd-server nbd-server-new ("-new": of the newer Debian)
  --filters               Instead: what filters cost, in sandblock and in nbdkit
  --stacks NAME,...       Only these: pass five cow cache offset partition rate stats
                          policy
  --nodes                 Instead: mirror, stripe, concat and parity of files against one file
  --no-peers              Only sandblock and the limit
  --repeat N              Repetitions of each run (5)
  --retries N             Times that a run is repeated when other work disturbs it (2)
  --patience SECONDS      A run waits that long at most for other work on the machine to end (2)
  --runtime SECONDS       Length of a run (2)
  --size BYTES            Size of the disks (1 GiB; a multiple of 4 MiB)
  --no-footprint          No measurements without load (start, idle CPU, memory)
  --only-footprint        Nothing but those
  --executable PATH       sandblock to measure (dist/sandblock; a .ts file is run from source)
  --baseline PATH         Another sandblock to compare with, in turn with the first
  --peers DIRECTORY       Root of the newer Debian's unpacked packages; default as in
                          tests/peers.ts, which unpacks them
  --file-directory PATH   Where the file of the file rows lies (/var/tmp)
  --json FILE             Also write the result there, after every row
  --check                 Exit with status 2 when a promise is missed
  --plan                  Say what would run and how long, and stop
`;

/** The command line, parsed. */
export interface Options {
  rows: Row[];
  /** Compare filters, these stacks of them. */
  filters: boolean;
  stacks: Stack[];
  /** Compare nodes with several children. */
  nodes: boolean;
  /** Servers by id; null: all there are. */
  servers: string[] | null;
  repetitions: number;
  retries: number;
  patienceSeconds: number;
  runtimeSeconds: number;
  size: number;
  footprint: boolean;
  executable: string;
  baseline: string | null;
  peers: string;
  fileDirectory: string;
  json: string | null;
  check: boolean;
  plan: boolean;
}

/** A mistake on the command line. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const SERVER_IDS = [
  "sandblock",
  "limit",
  "nbdkit",
  "nbdkit-new",
  "qemu-nbd",
  "qemu-nbd-new",
  "nbd-server",
  "nbd-server-new",
];
const QUICK_SERVERS = ["sandblock", "nbdkit", "limit"];
const QUICK_ROWS = [
  "randread-1",
  "randread-16",
  "randread-64",
  "randwrite-64",
  "read-128k",
  "write-128k",
];
/** Loads of `--filters`. */
const FILTER_ROWS = ["randread-16", "randwrite-16", "read-128k", "write-128k"];
/** Loads of `--nodes`. */
const NODE_ROWS = ["randread-16", "randwrite-16", "read-128k", "write-128k", "read-1m", "write-1m"];
const SIZE_STEP = 4 * 2 ** 20;

const DECLARED = {
  help: { type: "boolean", short: "h" },
  quick: { type: "boolean" },
  rows: { type: "string" },
  media: { type: "string" },
  servers: { type: "string" },
  "no-peers": { type: "boolean" },
  filters: { type: "boolean" },
  stacks: { type: "string" },
  nodes: { type: "boolean" },
  repeat: { type: "string" },
  retries: { type: "string" },
  patience: { type: "string" },
  runtime: { type: "string" },
  size: { type: "string" },
  "no-footprint": { type: "boolean" },
  "only-footprint": { type: "boolean" },
  executable: { type: "string" },
  baseline: { type: "string" },
  peers: { type: "string" },
  "file-directory": { type: "string" },
  json: { type: "string" },
  check: { type: "boolean" },
  plan: { type: "boolean" },
} as const;

const listOf = (text: string) => text.split(",").filter((name) => name !== "");

function numberOf(option: string, text: string, minimum: number, maximum: number): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= minimum && value <= maximum)) {
    throw new UsageError(
      `cannot use --${option} "${text}": it must be a number from ${minimum} to ${maximum}`,
    );
  }
  return value;
}

function parse(args: string[]) {
  try {
    return parseArgs({ args, options: DECLARED, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError(`cannot read the command line: ${(error as Error).message}`);
  }
}

function rowsFor(values: ReturnType<typeof parse>): Row[] {
  if (values["only-footprint"]) return [];
  const media = values.media ? listOf(values.media) : [...MEDIA];
  for (const medium of media) {
    if (!(MEDIA as readonly string[]).includes(medium)) {
      throw new UsageError(`cannot use --media "${medium}": the media are ${MEDIA.join(" and ")}`);
    }
  }
  let rows = values.quick ? selectRows(QUICK_ROWS) : [...ROWS];
  if (values.filters) rows = selectRows(values.quick ? FILTER_ROWS.slice(0, 2) : FILTER_ROWS);
  if (values.nodes) rows = selectRows(values.quick ? NODE_ROWS.slice(0, 4) : NODE_ROWS);
  if (values.rows !== undefined) {
    try {
      rows = selectRows(listOf(values.rows));
    } catch (error) {
      throw new UsageError((error as Error).message);
    }
  }
  if (values.nodes) rows = rows.filter(({ medium }) => medium === "file");
  return rows.filter((row) => media.includes(row.medium as Medium));
}

function stacksFor(values: ReturnType<typeof parse>): Stack[] {
  try {
    return selectStacks(values.stacks === undefined ? null : listOf(values.stacks));
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function serversFor(values: ReturnType<typeof parse>): string[] | null {
  if (values.servers !== undefined) {
    const names = listOf(values.servers);
    for (const name of names) {
      if (SERVER_IDS.includes(name)) continue;
      throw new UsageError(
        `cannot use --servers "${name}": no such server; servers: ${SERVER_IDS.join(" ")}`,
      );
    }
    return names;
  }
  if (values["no-peers"]) return ["sandblock", "limit"];
  return values.quick ? QUICK_SERVERS : null;
}

/** Reads the command line; null when help was asked for. Throws UsageError. */
export function parseOptions(args: string[]): Options | null {
  const values = parse(args);
  if (values.help) return null;
  if (values.stacks !== undefined) values.filters = true;
  const sizeDefault = values.filters || values.nodes ? 2 ** 28 : 2 ** 30;
  const size = numberOf("size", values.size ?? `${sizeDefault}`, SIZE_STEP, 2 ** 40);
  if (size % SIZE_STEP !== 0) {
    throw new UsageError(`cannot use --size "${values.size}": it must be a multiple of 4 MiB`);
  }
  return {
    filters: values.filters ?? false,
    stacks: stacksFor(values),
    nodes: values.nodes ?? false,
    rows: rowsFor(values),
    servers: serversFor(values),
    repetitions: Math.floor(
      numberOf("repeat", values.repeat ?? (values.quick ? "3" : "5"), 1, 1000),
    ),
    retries: Math.floor(numberOf("retries", values.retries ?? "2", 0, 1000)),
    patienceSeconds: numberOf("patience", values.patience ?? "2", 0, 3600),
    runtimeSeconds: numberOf("runtime", values.runtime ?? (values.quick ? "1" : "2"), 0.1, 3600),
    size,
    footprint: !(values.quick || values["no-footprint"]) || values["only-footprint"] === true,
    executable: values.executable ?? new URL("../../dist/sandblock", import.meta.url).pathname,
    baseline: values.baseline ?? null,
    peers: values.peers ?? newerPeers(),
    fileDirectory: values["file-directory"] ?? "/var/tmp",
    json: values.json ?? null,
    check: values.check ?? false,
    plan: values.plan ?? false,
  };
}
