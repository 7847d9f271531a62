// SPDX-License-Identifier: MIT
// The few statistics that the benchmark needs. All are of small samples, so medians throughout.

/** The middle value, or the mean of the two middle ones; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return NaN;
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * The median of `ours[i] / theirs[i]`. Both were measured right after each other in repetition `i`,
 * so that drift of the machine cancels; repetitions that either side lacks (null) do not count.
 */
export function pairedRatio(
  ours: readonly (number | null)[],
  theirs: readonly (number | null)[],
): number {
  const ratios: number[] = [];
  for (let i = 0; i < Math.min(ours.length, theirs.length); i++) {
    const our = ours[i];
    const their = theirs[i];
    if (our == null || their == null || their === 0) continue;
    ratios.push(our / their);
  }
  return median(ratios);
}

/** Half the range of `values` over their median: 0.05 means "within about 5 %". */
export function spread(values: readonly number[]): number {
  if (values.length === 0) return NaN;
  return (Math.max(...values) - Math.min(...values)) / 2 / median(values);
}

/** `items` turned left by `by` places, so that no one is always the first. */
export function rotated<T>(items: readonly T[], by: number): T[] {
  const at = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}
