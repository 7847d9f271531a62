// SPDX-License-Identifier: MIT
// The names of the errors that devices answer with; others are told by number.

import { say, sayNumber } from "../../sdk/assemblyscript/assembly";

/** Adds the name of an error, or its number. */
export function sayErrno(errno: i32): void {
  switch (errno) {
    case 1:
      return say("EPERM");
    case 2:
      return say("ENOENT");
    case 5:
      return say("EIO");
    case 11:
      return say("EAGAIN");
    case 12:
      return say("ENOMEM");
    case 13:
      return say("EACCES");
    case 16:
      return say("EBUSY");
    case 22:
      return say("EINVAL");
    case 27:
      return say("EFBIG");
    case 28:
      return say("ENOSPC");
    case 30:
      return say("EROFS");
    case 75:
      return say("EOVERFLOW");
    case 95:
      return say("EOPNOTSUPP");
    case 108:
      return say("ESHUTDOWN");
    case 110:
      return say("ETIMEDOUT");
    default:
      sayNumber(errno);
  }
}
