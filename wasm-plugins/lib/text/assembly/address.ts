// SPDX-License-Identifier: MIT
// Internet addresses in words (RFC 4291, RFC 5952), as 16 bytes: IPv4 ones are those behind ::ffff:0:0.

import { atEnd, peekByte, takeByte, takeDigits } from "./index";

const COLON: u8 = 0x3a;
const DOT: u8 = 0x2e;

/** Reads a.b.c.d to `into`, four bytes. */
function takeFour(into: usize): bool {
  for (let i = 0; i < 4; i++) {
    if (i && !takeByte(DOT)) return false;
    const value = takeDigits(10);
    if (value < 0 || value > 255) return false;
    store<u8>(into + i, <u8>value);
  }
  return true;
}

/** Reads an IPv4 address to `into`, 16 bytes. */
export function takeIpv4(into: usize): bool {
  memory.fill(into, 0, 10);
  store<u16>(into + 10, 0xffff);
  return takeFour(into + 12);
}

/** Reads an IPv6 address to `into`, 16 bytes. IPv4 at its end is understood in hexadecimal only. */
export function takeIpv6(into: usize): bool {
  let groups = 0;
  // Groups in front of `::`; -1: there was none yet.
  let gap = -1;
  memory.fill(into, 0, 16);
  if (takeByte(COLON)) {
    if (!takeByte(COLON)) return false;
    gap = 0;
  }
  while (groups < 8) {
    const digit = peekByte() | 0x20;
    const isDigit = (digit >= 0x30 && digit <= 0x39 && peekByte() >= 0x30) || (digit >= 0x61 && digit <= 0x66);
    if (!isDigit) break;
    const value = takeDigits(16);
    if (value < 0 || value > 0xffff) return false;
    store<u16>(into + 2 * groups, bswap<u16>(<u16>value));
    groups++;
    if (groups == 8 || !takeByte(COLON)) break;
    if (takeByte(COLON)) {
      if (gap >= 0) return false;
      gap = groups;
    } else if (atEnd()) return false;
  }
  if (gap < 0) return groups == 8;
  if (groups == 8) return false;
  const moved = <usize>(2 * (groups - gap));
  const hole = into + <usize>(2 * gap);
  memory.copy(into + 16 - moved, hole, moved);
  memory.fill(hole, 0, into + 16 - moved - hole);
  return true;
}
