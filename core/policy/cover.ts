// SPDX-License-Identifier: MIT
// Whether one condition holds wherever another does, judged by their form: never wrong where it says
// yes, not always right where it says no.

import type { Lowered } from "./lower.ts";
import type { Interval } from "./program.ts";

/** Whether `wide` surely holds wherever `narrow` holds. */
export function covers(wide: Lowered, narrow: Lowered): boolean {
  if (wide.kind === "constant") return wide.value;
  if (narrow.kind === "constant" && !narrow.value) return true;
  if (narrow.kind === "or") return narrow.of.every((part) => covers(wide, part));
  if (wide.kind === "and") return wide.of.every((part) => covers(part, narrow));
  if (wide.kind === "or" && wide.of.some((part) => covers(part, narrow))) return true;
  if (narrow.kind === "and") return narrow.of.some((part) => covers(wide, part));
  return coversTest(wide, narrow);
}

function coversTest(wide: Lowered, narrow: Lowered): boolean {
  if (wide.kind === "not" || narrow.kind === "not") {
    return wide.kind === "not" && narrow.kind === "not" && covers(narrow.of, wide.of);
  }
  if (wide.kind === "context") return narrow.kind === "context" && wide.bit === narrow.bit;
  if (wide.kind === "number") {
    return narrow.kind === "number" && wide.field === narrow.field && include(wide.of, narrow.of);
  }
  if (wide.kind === "aligned") {
    return narrow.kind === "aligned" && wide.size <= narrow.size &&
      (wide.field === narrow.field || narrow.field === "range");
  }
  if (wide.kind === "flags") {
    if (narrow.kind !== "flags" || wide.how !== narrow.how) return false;
    return (narrow.mask & ~wide.mask) === 0;
  }
  if (wide.kind === "weekday") {
    return narrow.kind === "weekday" && (narrow.mask & ~wide.mask) === 0;
  }
  if (wide.kind === "time") {
    return narrow.kind === "time" && narrow.of.every((inner) => {
      return wide.of.some((outer) => outer.low <= inner.low && inner.high <= outer.high);
    });
  }
  return wide.kind === "range" && narrow.kind === "range" && wide.how === narrow.how &&
    include(wide.of, narrow.of);
}

/** Whether each of `inner` is within one of `outer`. */
function include(outer: readonly Interval[], inner: readonly Interval[]): boolean {
  return inner.every((part) => {
    return outer.some(({ low, high }) => low <= part.low && part.high <= high);
  });
}
