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
export { fail, failWith, logLine, say, sayByte, sayBytes, sayNumber } from "./message";
export { getSize, sb_open, sb_size, setSize } from "./single";
export { declareImmediate, sb_cache, sb_flush } from "./immediate";
export {
  cancel,
  complete,
  metric,
  nextCount,
  nextForward,
  nextPread,
  nextSize,
  PENDING,
  timer,
} from "./next";
export { closeHandle, contextOf, openHandle } from "./handles";
