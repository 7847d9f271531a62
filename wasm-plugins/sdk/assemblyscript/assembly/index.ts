// SPDX-License-Identifier: MIT
// The AssemblyScript SDK for sandblock plugins: everything under one roof.

export {
  errorText,
  exportAdd,
  exportDefault,
  extent,
  log,
  peer,
  release,
  replyBuffer,
  replyData,
  replyError,
  replyZero,
} from "./host";
export {
  CallFlag,
  DataFlag,
  Errno,
  ExtentFlag,
  Info,
  LogLevel,
  OpenFlag,
  Support,
  ZeroFlag,
} from "./constants";
export { alloc, allocZeroed, free, reserve, sb_alloc, sb_free } from "./heap";
export {
  fail,
  failWith,
  logLine,
  say,
  sayByte,
  sayBytes,
  sayHex,
  sayNumber,
  sayPadded,
  takeMessage,
} from "./message";
export { sayErrno } from "./errnos";
export { getSize, sb_open, sb_size, setSize } from "./single";
export { declareImmediate, sb_cache, sb_flush } from "./immediate";
export {
  blockAdvice,
  cancel,
  clock,
  complete,
  feature,
  hasFeature,
  metric,
  monotonic,
  PENDING,
  replyRestart,
  realTime,
  resize,
  timer,
} from "./later";
export {
  fileClose,
  FileFlag,
  fileOpen,
  filePread,
  filePwrite,
  fileResize,
  fileSize,
  fileSync,
  fileZero,
  netClose,
  netOpen,
  netRead,
  netWrite,
  random,
} from "./granted";
export {
  ioctlBytes,
  nextCache,
  nextClose,
  nextReopen,
  nextCount,
  nextDefault,
  nextExtents,
  nextFlush,
  nextForward,
  nextInfo,
  nextIoctl,
  nextList,
  nextOpen,
  nextPread,
  nextPwrite,
  nextSecureErase,
  nextSize,
  nextTrim,
  nextZero,
  pass,
  passOn,
  payload,
} from "./next";
export {
  connect,
  flushBelow,
  readBelow,
  readFile,
  receive,
  send,
  sleep,
  syncFile,
  writeBelow,
  writeFile,
} from "./waiting";
export { ExtentList, infoOf } from "./below";
export { begin, end, sb_done, Task, taskOf, then, token } from "./task";
export { add, arrived, Join } from "./join";
export { reportZone, zoneAppended, ZoneCondition, Zones, ZoneType } from "./zones";
export { closeHandle, contextOf, handlesEnd, isOpen, openHandle } from "./handles";
