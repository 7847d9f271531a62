// SPDX-License-Identifier: MIT
// Where lines go: to the server's log, or to a file, of which a part is written while the next is filled.

import {
  alloc,
  begin,
  Errno,
  fail,
  fileClose,
  FileFlag,
  fileOpen,
  filePwrite,
  fileSize,
  logLine,
  LogLevel,
  PENDING,
  say,
  sayByte,
  sayBytes,
  sayErrno,
  sayNumber,
  takeMessage,
  Task,
  token,
} from "../../sdk/assemblyscript/assembly";

/** Lines that wait for the disk, in bytes; more are lost, and counted. */
const BUFFER_BYTES: usize = 1 << 20;
const LINE_BYTES_MAX: usize = 1100;

let file: i32 = -1;
let path: usize = 0;
let pathLength: usize = 0;
/** What is being filled, and what is being written. */
let filling: usize = 0;
let filled: usize = 0;
let writing: usize = 0;
let writingBytes: u64 = 0;
let writingAt: u64 = 0;
let busy: bool = false;
let position: u64 = 0;
let lost: u64 = 0;
let failed: bool = false;
let task: Task | null = null;

/** Keeps the name of the file. */
export function setPath(pointer: usize, length: usize): void {
  path = alloc(length, 1);
  pathLength = length;
  memory.copy(path, pointer, length);
}

/** Opens the file, if there is one. Returns 0 or an errno. */
export function openSink(appends: bool): i32 {
  if (!path) return 0;
  const flags = FileFlag.Write | FileFlag.Create | (appends ? 0 : FileFlag.Truncate);
  file = fileOpen(path, pathLength, flags);
  if (file < 0) {
    say("cannot open the log file \"");
    sayBytes(path, pathLength);
    if (file == -Errno.EACCES || file == -Errno.EPERM) {
      say("\": it is not allowed; --allow log:write=DIR allows the directory that it is in");
    } else {
      say("\": ");
      sayErrno(-file);
    }
    return fail(-file);
  }
  const size = appends ? fileSize(file) : 0;
  if (size < 0) return <i32>-size;
  position = size;
  filling = alloc(BUFFER_BYTES, 16);
  writing = alloc(BUFFER_BYTES, 16);
  task = begin<Task>(written);
  return filling && writing && task ? 0 : <i32>Errno.ENOMEM;
}

/** Ends the line that was said. */
export function endLine(): void {
  if (file < 0) return logLine(LogLevel.Info);
  sayByte(0x0a);
  if (BUFFER_BYTES - filled < LINE_BYTES_MAX) {
    takeMessage(filling, 0);
    lost++;
    return;
  }
  filled += takeMessage(filling + filled, LINE_BYTES_MAX);
  if (!busy) flush();
}

/** Begins to write what there is, if that is anything. */
function flush(): void {
  while (filled && !busy) {
    const count = filled;
    const data = filling;
    filling = writing;
    writing = data;
    filled = 0;
    writingBytes = count;
    writingAt = position;
    position += count;
    const status = filePwrite(file, data, count, writingAt, 0, token(task!));
    if (status == PENDING) busy = true;
    else if (status) complain(status);
  }
}

function written(token: i32, result: i32): void {
  busy = false;
  if (result) complain(result);
  flush();
}

function complain(errno: i32): void {
  if (failed) return;
  failed = true;
  say("lines are lost: the log file cannot be written: ");
  sayErrno(errno);
  logLine(LogLevel.Error);
}

/** Writes what is left, and waits for it. */
export function closeSink(): void {
  if (file < 0) return;
  if (lost) {
    say("# lines that were lost because the disk was too slow: ");
    sayNumber(lost);
    sayByte(0x0a);
    if (BUFFER_BYTES - filled >= LINE_BYTES_MAX) filled += takeMessage(filling + filled, LINE_BYTES_MAX);
  }
  // Nobody is told any more when that has ended which is under way, so it is done again.
  if (busy) filePwrite(file, writing, writingBytes, writingAt, 0, 0);
  if (filled) filePwrite(file, filling, filled, position, 0, 0);
  fileClose(file);
}
