// SPDX-License-Identifier: MIT
// The names of the errors that devices and files fail with (errno(3), Linux); others are told by number.

import { say, sayNumber } from "./message";

/** Adds the name of an error to the message, such as `ENOSPC`, or its number. */
export function sayErrno(errno: i32): void {
  switch (errno) {
    case 1:
      return say("EPERM");
    case 2:
      return say("ENOENT");
    case 4:
      return say("EINTR");
    case 5:
      return say("EIO");
    case 6:
      return say("ENXIO");
    case 9:
      return say("EBADF");
    case 11:
      return say("EAGAIN");
    case 12:
      return say("ENOMEM");
    case 13:
      return say("EACCES");
    case 16:
      return say("EBUSY");
    case 17:
      return say("EEXIST");
    case 19:
      return say("ENODEV");
    case 20:
      return say("ENOTDIR");
    case 21:
      return say("EISDIR");
    case 22:
      return say("EINVAL");
    case 24:
      return say("EMFILE");
    case 27:
      return say("EFBIG");
    case 28:
      return say("ENOSPC");
    case 30:
      return say("EROFS");
    case 32:
      return say("EPIPE");
    case 34:
      return say("ERANGE");
    case 61:
      return say("ENODATA");
    case 75:
      return say("EOVERFLOW");
    case 95:
      return say("EOPNOTSUPP");
    case 101:
      return say("ENETUNREACH");
    case 104:
      return say("ECONNRESET");
    case 107:
      return say("ENOTCONN");
    case 108:
      return say("ESHUTDOWN");
    case 110:
      return say("ETIMEDOUT");
    case 111:
      return say("ECONNREFUSED");
    case 113:
      return say("EHOSTUNREACH");
    case 116:
      return say("ESTALE");
    case 122:
      return say("EDQUOT");
    default:
      sayNumber(errno);
  }
}
