// SPDX-License-Identifier: MIT
// Failures of requests: an error number of Linux and a text.

/** Error numbers that devices need most. */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EIO: 5,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EINVAL: 22,
  ENOTTY: 25,
  ENOSPC: 28,
  EROFS: 30,
  ENODATA: 61,
  EOPNOTSUPP: 95,
  ESHUTDOWN: 108,
};

/** Fails a request with an error number and a text; any other error fails it with EIO. */
export class Failure extends Error {
  constructor(errno, text = "") {
    super(text);
    this.errno = errno;
  }
}

/** Runs a function of the host; what it throws becomes a Failure. */
export function guarded(run) {
  try {
    return run();
  } catch (error) {
    const { errno, text } = error.payload ?? error;
    throw errno === undefined ? error : new Failure(errno, text);
  }
}

/** What the engine says where there is no memory. */
const NO_MEMORY = /^out of memory$|allocation (failed|size overflow)/;

/** What is thrown for a function whose result may be a failure. */
export function failureOf(error) {
  const other = NO_MEMORY.test(error?.message ?? error) ? Errno.ENOMEM : Errno.EIO;
  const errno = Number.isInteger(error?.errno) ? error.errno : other;
  return { errno, text: String(error?.message ?? error) };
}

/** Runs a function of the plugin; what it throws becomes what the host understands. */
export function failing(run) {
  try {
    return run();
  } catch (error) {
    throw failureOf(error);
  }
}
