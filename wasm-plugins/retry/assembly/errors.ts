// SPDX-License-Identifier: MIT
// Which errors are worth another try: by name, such as EIO, or by number.

/** Numbers of errors that are retried, bit by bit; 1 to 133. */
const chosen = memory.data(24);
let any = false;

/** Names of errors and their numbers (errno(3), Linux). */
function numberOf(name: string): i32 {
  if (name == "EIO") return 5;
  if (name == "ENXIO") return 6;
  if (name == "EAGAIN") return 11;
  if (name == "ENOMEM") return 12;
  if (name == "EACCES") return 13;
  if (name == "EBUSY") return 16;
  if (name == "ENODEV") return 19;
  if (name == "EINVAL") return 22;
  if (name == "ENOSPC") return 28;
  if (name == "EROFS") return 30;
  if (name == "EPIPE") return 32;
  if (name == "EOVERFLOW") return 75;
  if (name == "EOPNOTSUPP") return 95;
  if (name == "ENETUNREACH") return 101;
  if (name == "ECONNRESET") return 104;
  if (name == "ENOTCONN") return 107;
  if (name == "ESHUTDOWN") return 108;
  if (name == "ETIMEDOUT") return 110;
  if (name == "ECONNREFUSED") return 111;
  if (name == "EHOSTUNREACH") return 113;
  if (name == "ESTALE") return 116;
  return 0;
}

/** Chooses an error by its name or number in ASCII. False where it is neither. */
export function choose(text: usize, length: usize): bool {
  const name = String.UTF8.decodeUnsafe(text, length);
  let number = numberOf(name);
  if (!number) {
    for (let i: usize = 0; i < length; i++) {
      const digit = <i32>load<u8>(text + i) - 0x30;
      if (digit < 0 || digit > 9 || number > 133) return false;
      number = number * 10 + digit;
    }
    if (number < 1 || number > 133) return false;
  }
  any = true;
  mark(number);
  return true;
}

function mark(number: i32): void {
  const word = chosen + (<usize>(number >> 6) << 3);
  store<u64>(word, load<u64>(word) | (<u64>1) << (number & 63));
}

/** Whether `errno` is worth another try. Unless some were chosen, all are but those of the request. */
export function isWorth(errno: i32): bool {
  // EPERM, EINVAL, EROFS, EOVERFLOW, EOPNOTSUPP: the same will come of it again.
  if (!any) return errno != 1 && errno != 22 && errno != 30 && errno != 75 && errno != 95;
  const word = chosen + (<usize>(errno >> 6) << 3);
  return (load<u64>(word) >> (errno & 63) & 1) != 0;
}
