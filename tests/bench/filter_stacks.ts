// SPDX-License-Identifier: MIT
// Filters that are compared: what sandblock and nbdkit are told to put above a memory disk or a file. Both
// do the same; where a parameter has another default, it is given.

import { MEDIA, type Medium } from "./rows.ts";
import { type Launch, nbdkit, type Place, sandblock, type Server } from "./servers.ts";

const MIB = 2 ** 20;
const SECTOR = 512;

/** Filters on one another. */
export interface Stack {
  name: string;
  /** In words, for tables. */
  title: string;
  /** From the client on. */
  sandblock: string[];
  nbdkit: string[];
  /** Parameters for both, and for one of them. */
  parameters(size: number): string[];
  ours?(size: number): string[];
  theirs?(size: number): string[];
  /** Rules of a request policy that sandblock asks besides; nbdkit has no such thing. */
  rules?: number;
  /** Share of the rate without filters that must be left; 0 for no such promise. */
  shareMin: number;
  /** The disk has a table with one partition, 1 MiB behind its start. */
  partitioned?: boolean;
}

const none = () => [];

export const STACKS: readonly Stack[] = [
  {
    name: "pass",
    title: "one that passes everything on",
    // An offset of 0: every request goes through the filter's code, and on as it is.
    sandblock: ["offset"],
    nbdkit: ["nofilter"],
    parameters: none,
    shareMin: 0.97,
  },
  {
    name: "five",
    title: "five of them",
    sandblock: new Array(5).fill("offset"),
    nbdkit: new Array(5).fill("nofilter"),
    parameters: none,
    shareMin: 0.88,
  },
  {
    name: "cow",
    title: "cow",
    sandblock: ["cow"],
    nbdkit: ["cow"],
    // What clients write as small blocks need not be fetched in either.
    parameters: () => ["cow-block-size=4096"],
    shareMin: 0,
  },
  {
    name: "cache",
    title: "cache",
    sandblock: ["cache"],
    nbdkit: ["cache"],
    parameters: () => ["cache-min-block-size=4096"],
    // nbdkit's has no bound unless it is given one; beyond 95 % of it blocks are taken out.
    ours: (size) => [`cache-max-size=${2 * size}`],
    shareMin: 0,
  },
  {
    name: "offset",
    title: "offset",
    sandblock: ["offset"],
    nbdkit: ["offset"],
    parameters: (size) => [`offset=${MIB}`, `range=${size}`],
    shareMin: 0,
  },
  {
    name: "partition",
    title: "partition",
    sandblock: ["partition"],
    nbdkit: ["partition"],
    parameters: () => ["partition=1"],
    shareMin: 0,
    partitioned: true,
  },
  {
    name: "rate",
    title: "rate, with a limit that is never reached",
    sandblock: ["rate"],
    nbdkit: ["rate"],
    parameters: () => ["rate=1T"],
    shareMin: 0,
  },
  {
    name: "stats",
    title: "stats",
    sandblock: ["stats"],
    nbdkit: ["stats"],
    parameters: none,
    theirs: () => ["statsfile=/dev/null"],
    shareMin: 0,
  },
  {
    name: "policy",
    title: "a policy of 50 rules (nbdkit: nothing)",
    sandblock: [],
    nbdkit: [],
    parameters: none,
    rules: 50,
    shareMin: 0.97,
  },
];

/** A policy of `count` rules that are all asked about every request, and let it pass. */
export function policyText(count: number): string {
  const rules = Array.from({ length: count }, (_, i) => {
    const range = `${(i + 1) * 100}G..+${512 * (i + 1)}M`;
    if (i % 3 === 0) return `errno EPERM write, trim if range overlaps ${range}`;
    if (i % 3 === 1) return `errno EINVAL if offset in ${range} and length not aligned 4K`;
    return `errno EIO read if end in ${range} and length > 64K`;
  });
  return ["default allow", ...rules].join("\n") + "\n";
}

/** A boot record with one partition, from 1 MiB on, of `size` bytes. */
export function bootRecord(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(SECTOR);
  const view = new DataView(bytes.buffer);
  bytes[446 + 4] = 0x83;
  view.setUint32(446 + 8, MIB / SECTOR, true);
  view.setUint32(446 + 12, size / SECTOR, true);
  view.setUint16(510, 0xaa55, true);
  return bytes;
}

/** The same in the language of the `data` plugins, which agree on that. */
function bootRecordText(size: number): string {
  const entry = [...bootRecord(size).subarray(446, 462)].join(" ");
  return `data=@446 ${entry} @510 0x55 0xaa`;
}

/** What lies below the filters. */
function below(stack: Stack, place: Place): string[] {
  const size = place.size + MIB;
  if (place.medium === "memory") {
    return stack.partitioned
      ? ["data", bootRecordText(place.size), `size=${size}`]
      : ["memory", `${size}`];
  }
  if (!stack.partitioned) return ["file", place.file];
  // Of its own: servers without filters write over the start of the other one.
  const path = `${place.file}.partitioned`;
  using file = Deno.openSync(path, { write: true, create: true });
  file.truncateSync(size);
  file.writeSync(bootRecord(place.size));
  return ["file", path];
}

/** The servers of a stack: both without filters and with them. */
export function stackServers(stack: Stack, executable: string, versions: Versions): Server[] {
  const plain = (server: Server, program: "sandblock" | "nbdkit"): Server => ({
    ...server,
    launch: (place) =>
      launchOf(program, executable, [], below({ ...stack, partitioned: false }, place), place),
  });
  const filtered = (server: Server, program: "sandblock" | "nbdkit"): Server => ({
    ...server,
    id: `${server.id}+`,
    launch(place) {
      const more = program === "sandblock" ? stack.ours : stack.theirs;
      const parameters = [...stack.parameters(place.size), ...more?.(place.size) ?? []];
      const what = [...policyOf(stack, program, place), ...below(stack, place), ...parameters];
      return launchOf(program, executable, stack[program], what, place);
    },
  });
  const ours = { ...sandblock("sandblock", executable, versions.sandblock), media: MEDIA };
  const theirs = { ...nbdkit("nbdkit", "nbdkit", versions.nbdkit), media: MEDIA };
  return [
    plain(ours, "sandblock"),
    filtered(ours, "sandblock"),
    plain(theirs, "nbdkit"),
    filtered(theirs, "nbdkit"),
  ];
}

/** The option for the policy of a stack, whose file is written. */
function policyOf(
  { rules }: Stack,
  program: "sandblock" | "nbdkit",
  { directory }: Place,
): string[] {
  if (rules === undefined || program === "nbdkit") return [];
  const path = `${directory}/policy`;
  Deno.writeTextFileSync(path, policyText(rules));
  return ["--policy", path];
}

/** Versions as the programs tell them. */
export interface Versions {
  sandblock: string;
  nbdkit: string;
}

function launchOf(
  program: "sandblock" | "nbdkit",
  executable: string,
  filters: readonly string[],
  what: string[],
  { directory }: Place,
): Launch {
  const socket = `${directory}/socket`;
  if (program === "nbdkit") {
    const args = ["-f", "-U", socket, ...filters.map((name) => `--filter=${name}`), ...what];
    return { command: "nbdkit", args, socket, exportName: "" };
  }
  const [command, prefix] = executable.endsWith(".ts")
    ? [Deno.execPath(), ["run", "-A", executable]]
    : [executable, []];
  const stack = filters.flatMap((name) => ["--filter", name]);
  return {
    command,
    args: [...prefix, "serve", "--unix", socket, ...stack, ...what],
    socket,
    exportName: "",
  };
}

/** Bytes that a file for stacks has besides what is measured. */
export const FILE_EXTRA = MIB;

/** Removes what `below` has made beside `file`. */
export function removeOwnFile(file: string): void {
  try {
    Deno.removeSync(`${file}.partitioned`);
  } catch { /* it was not made */ }
}

/** The stacks that `names` select; all for null. Throws RangeError. */
export function selectStacks(names: readonly string[] | null): Stack[] {
  for (const name of names ?? []) {
    if (STACKS.some((stack) => stack.name === name)) continue;
    const known = STACKS.map((stack) => stack.name).join(" ");
    throw new RangeError(`cannot select stack "${name}": no such stack; stacks: ${known}`);
  }
  return STACKS.filter(({ name }) => names?.includes(name) ?? true);
}

/** The name of a row of a stack. */
export function stackRowName(stack: Stack, medium: Medium, load: string): string {
  return `${stack.name}/${medium}/${load}`;
}
