// SPDX-License-Identifier: MIT
// The state directory (docs/kernel.md): for each device that sandblock serves a record, which
// survives its process, and the socket on which that process listens to commands.

/** Format of records; another one is refused. */
const FORMAT = 1;
const ROOT_ONLY = 0o700;
/** Nobody else may write. */
const OTHERS_MAY_WRITE = 0o022;

/** What is kept about a device. */
export interface DeviceRecord {
  format: number;
  /** Its node. */
  device: string;
  name: string;
  via: string;
  /** Process that serves it, or did. */
  pid: number;
  /** Bytes, in decimal. */
  size: string;
  blockSize: number;
  readOnly: boolean;
  connections: number;
  queues: number;
  depth: number;
  timeoutSeconds: number;
  recoverySeconds: number;
  identifier: string;
  /** Filters, plugin and parameters as they were given. */
  graph: string[];
  /** When it was attached, ISO 8601. */
  since: string;
}

/** Where records are: $SANDBLOCK_STATE, or /run/sandblock. */
export function stateDirectory(): string {
  return Deno.env.get("SANDBLOCK_STATE") || "/run/sandblock";
}

/** Makes the directory, for this user only. Throws Error where others may write to it. */
export function makeStateDirectory(): string {
  const path = stateDirectory();
  try {
    Deno.mkdirSync(path, { recursive: true, mode: ROOT_ONLY });
  } catch (error) {
    throw new Error(`cannot make state directory "${path}": ${reasonOf(error)}`);
  }
  const { uid, mode, isDirectory } = Deno.statSync(path);
  if (!isDirectory) throw new Error(`cannot use state directory "${path}": it is not a directory`);
  if (uid !== 0 && uid !== Deno.uid()) {
    throw new Error(`cannot use state directory "${path}": it belongs to user ${uid}`);
  }
  if (mode !== null && (mode & OTHERS_MAY_WRITE) !== 0) {
    throw new Error(`cannot use state directory "${path}": others may write to it`);
  }
  return path;
}

/** The socket of a device's process. */
export function socketPath(name: string): string {
  return `${stateDirectory()}/${name}.sock`;
}

/** Keeps a record. It takes the place of an older one at once or not at all. */
export function writeRecord(record: DeviceRecord): void {
  const path = recordPath(record.name);
  const draft = `${path}.${Deno.pid}`;
  Deno.writeTextFileSync(draft, JSON.stringify(record, null, 2) + "\n", { mode: 0o600 });
  Deno.renameSync(draft, path);
}

/** The record of a device; null where there is none. Throws Error for one that cannot be read. */
export function readRecord(name: string): DeviceRecord | null {
  const path = recordPath(name);
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw new Error(`cannot read "${path}": ${reasonOf(error)}`);
  }
  const record = parse(text);
  if (record?.format === FORMAT && record.name === name) return record;
  throw new Error(
    `cannot use the record "${path}": it was not written by this version of sandblock`,
  );
}

/** All records, in the order of their names. */
export function readRecords(): DeviceRecord[] {
  let names: string[];
  try {
    names = [...Deno.readDirSync(stateDirectory())].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw new Error(`cannot read "${stateDirectory()}": ${reasonOf(error)}`);
  }
  return names.filter((name) => name.endsWith(".json")).sort()
    .flatMap((name) => readRecord(name.slice(0, -".json".length)) ?? []);
}

/** Forgets a device, unless another process than `pid` serves it by now. */
export function removeRecord(name: string, pid: number): void {
  if (readRecord(name)?.pid !== pid) return;
  for (const path of [recordPath(name), socketPath(name)]) {
    try {
      Deno.removeSync(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** A record of this version. */
export function newRecord(record: Omit<DeviceRecord, "format">): DeviceRecord {
  return { format: FORMAT, ...record };
}

function recordPath(name: string): string {
  return `${stateDirectory()}/${name}.json`;
}

function parse(text: string): DeviceRecord | null {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" ? value as DeviceRecord : null;
  } catch {
    return null;
  }
}

/** What the system said, without the runtime's additions. */
function reasonOf(error: unknown): string {
  return (error as Error).message.replace(/ \(os error \d+\).*$/s, "");
}
