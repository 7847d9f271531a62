// SPDX-License-Identifier: MIT
// Metrics of a plugin with several instances: what they have counted, together.

import type { MetricSample } from "../../block/metrics.ts";

/** `samples` of one instance added to those of others. Both are of the same manifest. */
export function addSamples(
  samples: readonly MetricSample[],
  others: readonly MetricSample[],
): MetricSample[] {
  return samples.map((sample, index) => {
    const other = others[index]!;
    return {
      ...sample,
      value: sample.value + other.value,
      counts: sample.counts.map((count, bucket) => count + other.counts[bucket]!),
    };
  });
}
