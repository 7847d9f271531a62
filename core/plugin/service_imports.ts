// SPDX-License-Identifier: MIT
// The functions for what a plugin was granted: clock, random numbers, files, the network (ABI, "Capabilities"). As
// in imports.ts, none of them throws; what was not granted is answered with EPERM.

import { Errno } from "../block/errno.ts";
import { joined } from "./answer_pieces.ts";
import { FileJobKind } from "./file_job.ts";
import type { Files } from "./files.ts";
import type { Grants } from "./grants.ts";
import type { Host } from "./host.ts";
import { nameAt } from "./imports.ts";
import type { Streams } from "./streams.ts";

const NS_PER_MS = 1_000_000n;
/** Random bytes in one call. */
export const RANDOM_BYTES_MAX = 65536;
/** Clocks by their numbers in the ABI. */
const Clock = { Real: 0, Monotonic: 1 } as const;

/** These functions, for one instance. */
export function makeServiceImports(
  host: Host,
  grants: Grants,
  files: Files,
  streams: Streams,
): WebAssembly.ModuleImports {
  return {
    ...plainImports(host, grants),
    ...fileImports(host, files),
    ...netImports(host, streams),
  };
}

/** Those that need nothing but the instance. */
export function plainImports(host: Host, grants: Grants): WebAssembly.ModuleImports {
  return {
    clock: (which: number) => {
      if (!grants.clock) return BigInt(-Errno.EPERM);
      if (which === Clock.Real) return BigInt(Date.now()) * NS_PER_MS;
      if (which === Clock.Monotonic) return BigInt(Math.round(performance.now() * 1e6));
      host.lied(`clock: there is no clock ${which}; they are 0 and 1`);
      return BigInt(-Errno.EINVAL);
    },
    random: (ph: number, pl: number, lh: number, ll: number) => {
      if (!grants.random) return Errno.EPERM;
      const { memory } = host;
      const [pointer, length] = [joined(ph, pl), joined(lh, ll)];
      memory.refresh();
      if (!memory.contains(pointer, length)) {
        host.lied(`random: ${length} bytes at ${pointer} are not in its memory`);
        return Errno.EINVAL;
      }
      if (length > RANDOM_BYTES_MAX) {
        host.lied(`random: ${length} bytes at once; ${RANDOM_BYTES_MAX} are possible`);
        return Errno.EINVAL;
      }
      crypto.getRandomValues(memory.bytes.subarray(pointer, pointer + length));
      return 0;
    },
  };
}

function fileImports(host: Host, files: Files): WebAssembly.ModuleImports {
  return {
    file_open: (ph: number, pl: number, lh: number, ll: number, flags: number) => {
      const path = nameAt(host, "file_open", joined(ph, pl), joined(lh, ll));
      return path === null ? -Errno.EINVAL : files.open(path, flags);
    },
    file_close: (number: number) => files.close(number),
    file_size: (number: number) => files.size(number),
    file_resize: (number: number, high: number, low: number) => files.resize(number, high, low),
    file_pread: transfer(files, "file_pread", FileJobKind.Read),
    file_pwrite: transfer(files, "file_pwrite", FileJobKind.Write),
    file_sync: (number: number, flags: number, token: number) => {
      return files.run("file_sync", FileJobKind.Sync, number, 0, 0, 0, 0, 0, flags, token);
    },
    file_zero: (
      number: number,
      countHigh: number,
      countLow: number,
      offsetHigh: number,
      offsetLow: number,
      flags: number,
      token: number,
    ) =>
      files.run(
        "file_zero",
        FileJobKind.Zero,
        number,
        0,
        countHigh,
        countLow,
        offsetHigh,
        offsetLow,
        flags,
        token,
      ),
  };
}

function netImports(host: Host, streams: Streams): WebAssembly.ModuleImports {
  return {
    net_open: (ph: number, pl: number, lh: number, ll: number, token: number) => {
      const address = nameAt(host, "net_open", joined(ph, pl), joined(lh, ll));
      return address === null ? -Errno.EINVAL : streams.open(address, token);
    },
    net_read: (number: number, ph: number, pl: number, token: number) => {
      return streams.read(number, joined(ph, pl), token);
    },
    net_write: (
      number: number,
      ph: number,
      pl: number,
      countHigh: number,
      countLow: number,
      token: number,
    ) => streams.write(number, joined(ph, pl), countHigh, countLow, token),
    net_close: (number: number) => streams.close(number),
  };
}

function transfer(files: Files, call: string, kind: number) {
  return (
    number: number,
    ph: number,
    pl: number,
    countHigh: number,
    countLow: number,
    offsetHigh: number,
    offsetLow: number,
    flags: number,
    token: number,
  ) =>
    files.run(
      call,
      kind,
      number,
      joined(ph, pl),
      countHigh,
      countLow,
      offsetHigh,
      offsetLow,
      flags,
      token,
    );
}
