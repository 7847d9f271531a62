// SPDX-License-Identifier: MIT
// The time in words, UTC, by the Gregorian calendar.

import { realTime, sayByte, sayPadded } from "../../sdk/assemblyscript/assembly";

const NS_PER_US: i64 = 1000;
const US_PER_DAY: i64 = 86400 * 1000000;
/** Days of 400 years, of 100, of 4, and of one; the last of each has a day more or less. */
const DAYS_400: i64 = 146097;
const DAYS_100: i64 = 36524;
const DAYS_4: i64 = 1461;
/** Days from 0000-03-01 to 1970-01-01: years are counted from March on, so that the leap day is last. */
const DAYS_TO_1970: i64 = 719468;

/** Adds `YYYY-MM-DD HH:MM:SS.uuuuuu `. */
export function sayNow(): void {
  const us = realTime() / NS_PER_US;
  sayDate(us / US_PER_DAY + DAYS_TO_1970);
  sayByte(0x20);
  const rest = us % US_PER_DAY;
  sayPadded(rest / 3600000000, 2);
  sayByte(0x3a);
  sayPadded(rest / 60000000 % 60, 2);
  sayByte(0x3a);
  sayPadded(rest / 1000000 % 60, 2);
  sayByte(0x2e);
  sayPadded(rest % 1000000, 6);
  sayByte(0x20);
}

function sayDate(days: i64): void {
  const era = days / DAYS_400;
  let day = days % DAYS_400;
  const century = min<i64>(day / DAYS_100, 3);
  day -= century * DAYS_100;
  const olympiad = day / DAYS_4;
  day %= DAYS_4;
  const year = min<i64>(day / 365, 3);
  day -= year * 365;
  // From March on, five months have 153 days, three times in a row.
  const month = (5 * day + 2) / 153;
  const sum = era * 400 + century * 100 + olympiad * 4 + year;
  sayPadded(month < 10 ? sum : sum + 1, 4);
  sayByte(0x2d);
  sayPadded(month < 10 ? month + 3 : month - 9, 2);
  sayByte(0x2d);
  sayPadded(day - (153 * month + 2) / 5 + 1, 2);
}
