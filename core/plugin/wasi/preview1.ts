// SPDX-License-Identifier: MIT
// WASI preview 1 (wasi_snapshot_preview1) for core modules whose language insists on it, made of an
// empty world (surroundings.ts): three standard streams and nothing else. As with the functions of the
// ABI, whatever a plugin passes, none of them throws, but for proc_exit.

import { type AbiFunction, Value } from "../abi.ts";
import type { Host } from "../host.ts";
import { exit } from "./preview2.ts";
import { RANDOM_BYTES_MAX, type Surroundings } from "./surroundings.ts";

/** Module name of the imports. */
export const WASI_MODULE = "wasi_snapshot_preview1";

/** Error numbers of WASI. */
const Failure = { BadF: 8, Fault: 21, Inval: 28, NoSys: 52, SPipe: 70, NotCapable: 76 } as const;

/** Parameters of each function: `i` an i32, `I` an i64. All but proc_exit return an error number. */
const FUNCTIONS: Readonly<Record<string, string>> = {
  args_get: "ii",
  args_sizes_get: "ii",
  clock_res_get: "ii",
  clock_time_get: "iIi",
  environ_get: "ii",
  environ_sizes_get: "ii",
  fd_advise: "iIIi",
  fd_allocate: "iII",
  fd_close: "i",
  fd_datasync: "i",
  fd_fdstat_get: "ii",
  fd_fdstat_set_flags: "ii",
  fd_fdstat_set_rights: "iII",
  fd_filestat_get: "ii",
  fd_filestat_set_size: "iI",
  fd_filestat_set_times: "iIIi",
  fd_pread: "iiiIi",
  fd_prestat_dir_name: "iii",
  fd_prestat_get: "ii",
  fd_pwrite: "iiiIi",
  fd_read: "iiii",
  fd_readdir: "iiiIi",
  fd_renumber: "ii",
  fd_seek: "iIii",
  fd_sync: "i",
  fd_tell: "ii",
  fd_write: "iiii",
  path_create_directory: "iii",
  path_filestat_get: "iiiii",
  path_filestat_set_times: "iiiiIIi",
  path_link: "iiiiiii",
  path_open: "iiiiiIIii",
  path_readlink: "iiiiii",
  path_remove_directory: "iii",
  path_rename: "iiiiii",
  path_symlink: "iiiii",
  path_unlink_file: "iii",
  poll_oneoff: "iiii",
  proc_exit: "i",
  proc_raise: "i",
  random_get: "ii",
  sched_yield: "",
  sock_accept: "iii",
  sock_recv: "iiiiii",
  sock_send: "iiiii",
  sock_shutdown: "ii",
};

/** The functions with their types. */
export const WASI_IMPORTS: ReadonlyMap<string, AbiFunction> = new Map(
  Object.entries(FUNCTIONS).map(([name, letters]) => {
    const parameters = [...letters].map((letter) => letter === "I" ? Value.BigInt : Value.I32);
    return [name, { parameters, results: name === "proc_exit" ? [] : [Value.I32] }];
  }),
);

/** The import object's module for one instance. */
export function preview1(host: Host, around: Surroundings): WebAssembly.ModuleImports {
  const absent = Object.keys(FUNCTIONS).map((name) => {
    // There are no directories, so no path leads anywhere; nothing is open but the streams.
    const failure = name.startsWith("path_")
      ? Failure.NotCapable
      : name.startsWith("fd_") || name.startsWith("sock_")
      ? Failure.BadF
      : Failure.NoSys;
    return [name, () => failure];
  });
  return { ...Object.fromEntries(absent), ...process(host, around), ...streams(host, around) };
}

function process(host: Host, around: Surroundings): WebAssembly.ModuleImports {
  const counts = (count: number, bytes: number) => {
    return store(host, count, 4, (view) => view.setUint32(count, 0, true)) ||
      store(host, bytes, 4, (view) => view.setUint32(bytes, 0, true));
  };
  const REAL_TIME = 0;
  return {
    args_get: () => 0,
    args_sizes_get: counts,
    environ_get: () => 0,
    environ_sizes_get: counts,
    clock_res_get: (_id: number, at: number) => {
      return store(host, at, 8, (view) => view.setBigUint64(at, 1000n, true));
    },
    clock_time_get: (id: number, _precision: bigint, at: number) => {
      const now = id === REAL_TIME ? around.wallClock() : around.now();
      return store(host, at, 8, (view) => view.setBigUint64(at, now, true));
    },
    poll_oneoff: (from: number, to: number, count: number, at: number) => {
      return poll(host, around, from, to, count, at);
    },
    proc_exit: (code: number) => exit(around, code),
    random_get: (at: number, length: number) => {
      const bytes = range(host, at, length);
      if (bytes === null || bytes.length > RANDOM_BYTES_MAX) return Failure.Fault;
      around.fillRandom(bytes);
      return 0;
    },
    sched_yield: () => 0,
  };
}

const FDSTAT_BYTES = 24;
const CHARACTER_DEVICE = 2;
const RIGHT_READ = 2n;
const RIGHT_WRITE = 64n;
/** Buffers of one call. */
const BUFFERS_MAX = 1024;

function streams(host: Host, around: Surroundings): WebAssembly.ModuleImports {
  const isStream = (fd: number) => fd >= 0 && fd <= 2;
  const known = (fd: number) => isStream(fd) ? 0 : Failure.BadF;
  return {
    fd_close: known,
    fd_fdstat_set_flags: known,
    fd_datasync: known,
    fd_sync: known,
    fd_seek: (fd: number) => isStream(fd) ? Failure.SPipe : Failure.BadF,
    fd_tell: (fd: number) => isStream(fd) ? Failure.SPipe : Failure.BadF,
    fd_fdstat_get: (fd: number, at: number) => {
      if (!isStream(fd)) return Failure.BadF;
      return store(host, at, FDSTAT_BYTES, (view) => {
        for (let index = 0; index < FDSTAT_BYTES; index++) view.setUint8(at + index, 0);
        view.setUint8(at, CHARACTER_DEVICE);
        view.setBigUint64(at + 8, fd === 0 ? RIGHT_READ : RIGHT_WRITE, true);
      });
    },
    fd_read: (fd: number, _buffers: number, _count: number, at: number) => {
      if (fd !== 0) return Failure.BadF;
      return store(host, at, 4, (view) => view.setUint32(at, 0, true));
    },
    fd_write: (fd: number, buffers: number, count: number, at: number) => {
      if (fd !== 1 && fd !== 2) return Failure.BadF;
      return write(host, fd === 1 ? around.output : around.errors, buffers, count, at);
    },
  };
}

function write(
  host: Host,
  to: { write(bytes: Uint8Array): void },
  buffers: number,
  count: number,
  at: number,
): number {
  if (count >>> 0 > BUFFERS_MAX) return Failure.Inval;
  const list = range(host, buffers, count * 8);
  if (list === null) return Failure.Fault;
  const view = new DataView(list.buffer, list.byteOffset, list.length);
  let total = 0;
  for (let index = 0; index < count; index++) {
    const length = view.getUint32(index * 8 + 4, true);
    const bytes = range(host, view.getUint32(index * 8, true), length);
    if (bytes === null) return Failure.Fault;
    to.write(bytes);
    total += length;
  }
  return store(host, at, 4, (view) => view.setUint32(at, total, true));
}

const SUBSCRIPTION_BYTES = 48;
const EVENT_BYTES = 32;
const EVENT_CLOCK = 0;
const ABSOLUTE_TIME = 1;

/** Everything is there at once: clocks are put forward, the streams are ready. */
function poll(
  host: Host,
  around: Surroundings,
  from: number,
  to: number,
  count: number,
  at: number,
): number {
  if (count >>> 0 > BUFFERS_MAX || count === 0) return Failure.Inval;
  const asked = range(host, from, count * SUBSCRIPTION_BYTES);
  const events = range(host, to, count * EVENT_BYTES);
  if (asked === null || events === null) return Failure.Fault;
  // They may overlap.
  const input = new DataView(asked.slice().buffer);
  const output = new DataView(events.buffer, events.byteOffset, events.length);
  events.fill(0);
  for (let index = 0; index < count; index++) {
    const one = index * SUBSCRIPTION_BYTES;
    const type = input.getUint8(one + 8);
    if (type === EVENT_CLOCK) {
      const time = input.getBigUint64(one + 24, true);
      const absolute = input.getUint16(one + 40, true) & ABSOLUTE_TIME;
      around.sleepUntil(absolute ? time : around.now() + time);
    }
    output.setBigUint64(index * EVENT_BYTES, input.getBigUint64(one, true), true);
    output.setUint8(index * EVENT_BYTES + 10, type);
  }
  return store(host, at, 4, (view) => view.setUint32(at, count, true));
}

/** The bytes of a range of the plugin's memory; null where it is not in there. */
function range(host: Host, pointer: number, length: number): Uint8Array<ArrayBuffer> | null {
  const { memory } = host;
  memory.refresh();
  const [start, bytes] = [pointer >>> 0, length >>> 0];
  return memory.contains(start, bytes) ? memory.bytes.subarray(start, start + bytes) : null;
}

/** Has `put` write `length` bytes at `pointer`. Returns 0, or what is wrong with the place. */
function store(
  host: Host,
  pointer: number,
  length: number,
  put: (view: DataView) => void,
): number {
  if (range(host, pointer, length) === null) return Failure.Fault;
  put(host.memory.view);
  return 0;
}
