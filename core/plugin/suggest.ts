// SPDX-License-Identifier: MIT
// Finds what somebody who mistyped a word probably meant.

/** The candidate nearest to `word`, if one is near enough to be meant. */
export function suggest(word: string, candidates: Iterable<string>): string | undefined {
  // A third of the letters may be wrong, and one letter of a very short word.
  let least = Math.max(1, Math.floor(word.length / 3)) + 1;
  let nearest: string | undefined;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase(), least);
    if (distance >= least) continue;
    least = distance;
    nearest = candidate;
  }
  return nearest;
}

/** `; did you mean "x"?` for the end of an error message, or nothing. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const nearest = suggest(word, candidates);
  return nearest === undefined ? "" : `; did you mean "${nearest}"?`;
}

/**
 * Letters to insert, delete, replace or swap with their neighbour to get from `from` to `to`
 * (optimal string alignment distance); at least `limit` where the lengths alone differ by that.
 */
export function editDistance(from: string, to: string, limit = Infinity): number {
  const lengths = Math.abs(from.length - to.length);
  if (lengths >= limit) return lengths;
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      let cost = Math.min(
        last[column]! + 1,
        current[column - 1]! + 1,
        last[column - 1]! + (same ? 0 : 1),
      );
      const swapped = row > 1 && column > 1 &&
        from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (swapped) cost = Math.min(cost, beforeLast[column - 2]! + 1);
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return last[to.length]!;
}
