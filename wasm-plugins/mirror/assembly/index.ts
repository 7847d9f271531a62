// SPDX-License-Identifier: MIT
// Several devices with the same content (README.md beside this folder). Changes go to all (changes.ts),
// reads to one (reads.ts); a device that is behind is brought up to date in the background (resync.ts).

import {
  alloc,
  CallFlag,
  closeHandle,
  Errno,
  failWith,
  nextCount,
  nextSize,
  openHandle,
  say,
  fail,
  sayNumber,
  Task,
} from "../../sdk/assemblyscript/assembly";
import { change, Kind } from "./changes";
import { device, State, tellDevices, trackWrites } from "./devices";
import { look, setBalance } from "./reads";
import { addAll, makeSet, setRegions } from "./regions";
import { openOwn, ownSize, rejoins, setExport, setRate, setRejoin, startResync } from "./resync";

export { sb_alloc, sb_free } from "../../sdk/assemblyscript/assembly";

const enum Parameter {
  Read = 0,
  Resync = 1,
  ResyncRate = 2,
  Rejoin = 3,
}

/** Devices that are out of date at the start, bit by bit. */
let outdated: u32 = 0;
/** Size of the disk; -1 while it is not known. The devices are mirrored as one export. */
let size: i64 = -1;
let exportName: usize = 0;
let exportNameLength: usize = 0;

export function sb_param_int(index: i32, value: i64): void {
  if (index == Parameter.Read) setBalance(<i32>value);
  else if (index == Parameter.Resync) outdated |= 1 << <i32>value;
  else if (index == Parameter.ResyncRate) setRate(value);
  else setRejoin(value);
}

export function sb_ready(): i32 {
  const all: u32 = (1 << nextCount()) - 1;
  if (outdated & ~all) {
    say("cannot resync device ");
    sayNumber(31 - clz(outdated));
    say(": the devices are 0 to ");
    sayNumber(nextCount() - 1);
    return fail(Errno.EINVAL);
  }
  if (outdated == all) {
    return failWith(Errno.EINVAL, "cannot resync all devices: one has to have the content");
  }
  if (outdated) {
    const errno = openOwn();
    if (errno) return errno;
    if (!setSize(ownSize())) return noMemory();
    startResync();
  }
  tellDevices();
  return 0;
}

function noMemory(): i32 {
  return failWith(Errno.ENOMEM, "cannot mirror the devices: no memory");
}

/** Takes note of the size of the disk, with which the regions are known. */
function setSize(bytes: u64): bool {
  size = bytes;
  setExport(exportName, exportNameLength, bytes);
  setRegions(bytes);
  if (rejoins() && !trackWrites()) return false;
  for (let i = 0; i < nextCount(); i++) {
    if (!(outdated & (1 << i))) continue;
    const one = device(i);
    one.stale = makeSet();
    if (!one.stale) return false;
    addAll(one.stale);
    one.state = State.Behind;
  }
  return true;
}

export function sb_open(name: usize, nameLength: usize, flags: i32): i32 {
  if (size < 0) {
    if (nameLength) {
      exportName = alloc(nameLength, 1);
      if (!exportName) return -noMemory();
      memory.copy(exportName, name, nameLength);
    }
    exportNameLength = nameLength;
  } else if (nameLength != exportNameLength || memory.compare(name, exportName, nameLength)) {
    return -failWith(Errno.EBUSY, "cannot open a second export: the devices are mirrored as the first");
  }
  const handle = openHandle(0);
  return handle < 0 ? -noMemory() : handle;
}

export function sb_close(handle: i32): void {
  closeHandle(handle);
}

/** As large as the smallest of them. */
export function sb_size(handle: i32): i64 {
  if (size >= 0) return size;
  let least = nextSize(handle, 0);
  for (let child = 1; child < nextCount(); child++) least = min(least, nextSize(handle, child));
  return setSize(least) ? least : -noMemory();
}

/** The low bits of a token may say which device it is about. */
export function sb_done(token: i32, result: i32): void {
  call_indirect(changetype<Task>(<usize>token & ~15).then, token, result);
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return look(request, count, offset, flags | CallFlag.Whole, false);
}

export function sb_extents(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return look(request, count, offset, flags, true);
}

export function sb_cache(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return look(request, count, offset, flags, true);
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  return change(request, count, offset, flags, Kind.Write);
}

export function sb_flush(handle: i32, request: i32, flags: i32): i32 {
  return change(request, 0, 0, flags, Kind.Flush);
}

export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return change(request, count, offset, flags, Kind.Write);
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return change(request, count, offset, flags, Kind.Write);
}
