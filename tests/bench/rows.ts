// SPDX-License-Identifier: MIT
// The rows of the benchmark: what load is put on the servers. Depth is per connection.

export const MEDIA = ["memory", "file"] as const;
export type Medium = typeof MEDIA[number];

export type Pattern = "randread" | "randwrite" | "read" | "write";

/** One load. */
export interface Row {
  /** Unique, such as `memory/randread-16x4`: 4k random reads at depth 16 on 4 connections. */
  name: string;
  medium: Medium;
  pattern: Pattern;
  blockBytes: number;
  /** Requests under way per connection. */
  depth: number;
  connections: number;
}

const RANDOM_DEPTHS = [1, 16, 64];
/** Sequential loads: 2 MiB and 8 MiB under way on each connection, as nbdcopy and qemu-img keep. */
const SEQUENTIAL = [
  { size: "128k", blockBytes: 131072, depth: 16 },
  { size: "1m", blockBytes: 1048576, depth: 8 },
];
const CONNECTIONS = [1, 4];

function rowsOf(medium: Medium): Row[] {
  const rows: Row[] = [];
  for (const connections of CONNECTIONS) {
    const suffix = connections === 1 ? "" : `x${connections}`;
    for (const pattern of ["randread", "randwrite"] as const) {
      for (const depth of RANDOM_DEPTHS) {
        const name = `${medium}/${pattern}-${depth}${suffix}`;
        rows.push({ name, medium, pattern, blockBytes: 4096, depth, connections });
      }
    }
    for (const pattern of ["read", "write"] as const) {
      for (const { size, blockBytes, depth } of SEQUENTIAL) {
        const name = `${medium}/${pattern}-${size}${suffix}`;
        rows.push({ name, medium, pattern, blockBytes, depth, connections });
      }
    }
  }
  return rows;
}

export const ROWS: readonly Row[] = MEDIA.flatMap(rowsOf);

export function writes(pattern: Pattern): boolean {
  return pattern === "randwrite" || pattern === "write";
}

/** Whether the rate of the row is told in requests (else in bytes) per second. */
export function isRandom(pattern: Pattern): boolean {
  return pattern === "randread" || pattern === "randwrite";
}

/**
 * The rows that `names` select, in the order of ROWS: a full name, or one without its medium for
 * both media. Throws RangeError for a name that selects nothing.
 */
export function selectRows(names: readonly string[]): Row[] {
  const chosen = new Set<Row>();
  for (const name of names) {
    const matches = ROWS.filter((row) => row.name === name || row.name.endsWith(`/${name}`));
    if (matches.length === 0) {
      const known = ROWS.filter((row) => row.medium === "memory").map((row) => row.name.slice(7));
      throw new RangeError(`cannot select row "${name}": no such row; rows: ${known.join(" ")}`);
    }
    for (const row of matches) chosen.add(row);
  }
  return ROWS.filter((row) => chosen.has(row));
}
