// SPDX-License-Identifier: MIT
// A disk spread over devices with parity (README.md beside this folder). load.ts puts the array together,
// reads.ts and writes.ts serve clients, rows.ts keeps them out of each other's way, journal.ts makes that a
// crash leaves no row half changed, rebuild.ts fills in a new device.

import {
  closeHandle,
  Errno,
  fail,
  failWith,
  Info,
  openHandle,
  Support,
} from "../../sdk/assemblyscript/assembly";
import { Phase, phase, tellDevices } from "./devices";
import { finishJournal } from "./journal";
import { diskBytes } from "./layout";
import { loadArray, setChunk, setCreate, setJournal, setRebuild } from "./load";
import { hasProblem, sayProblem } from "./problem";
import { read } from "./reads";
import { setRate, stopRebuild } from "./rebuild";
import { write } from "./writes";

export { sb_alloc, sb_free } from "../../sdk/assemblyscript/assembly";
export { sb_done } from "./group";

/** Largest write: its rows are all in memory. */
const BLOCK_MAXIMUM: u32 = 4 << 20;

const enum Parameter {
  Create = 0,
  Chunk = 1,
  Journal = 2,
  Rebuild = 3,
  RebuildRate = 4,
}

export function sb_param_int(index: i32, value: i64): void {
  if (index == Parameter.Create) setCreate(value != 0);
  else if (index == Parameter.Chunk) setChunk(value);
  else if (index == Parameter.Journal) setJournal(value);
  else if (index == Parameter.Rebuild) setRebuild(<i32>value);
  else setRate(value);
}

export function sb_ready(): i32 {
  const errno = loadArray();
  tellDevices();
  if (errno || !hasProblem()) return errno;
  // Known at once, if the devices have answered at once; otherwise clients are told.
  sayProblem();
  return fail(Errno.EINVAL);
}

/** The array is one disk, the default export. */
export function sb_open(name: usize, nameLength: usize, flags: i32): i32 {
  if (nameLength) {
    return -failWith(Errno.ENOENT, "cannot open the export: an array has one, the one with the empty name");
  }
  const handle = openHandle(0);
  return handle < 0 ? -failWith(Errno.ENOMEM, "cannot open the export: no memory") : handle;
}

export function sb_close(handle: i32): void {
  closeHandle(handle);
}

export function sb_size(handle: i32): i64 {
  if (phase == Phase.Loading) return -Errno.EAGAIN;
  if (!hasProblem()) return diskBytes();
  sayProblem();
  return -fail(Errno.EINVAL);
}

export function sb_info(handle: i32, out: usize): i32 {
  const info = changetype<Info>(out);
  info.blockMaximum = min(info.blockMaximum, BLOCK_MAXIMUM);
  info.blockPreferred = min(info.blockPreferred, BLOCK_MAXIMUM);
  // What a client is told to be written is in the journal, and that is flushed.
  info.flush = Support.Native;
  info.fua = Support.Native;
  info.multiConn = Support.Native;
  return 0;
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return read(request, count, offset);
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  return write(request, data, count, offset);
}

/** The server stops: nothing of the journal has to be repeated when it starts again. */
export function sb_finish(): void {
  stopRebuild();
  finishJournal();
}

export function sb_flush(handle: i32, request: i32, flags: i32): i32 {
  return 0;
}
