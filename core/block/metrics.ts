// SPDX-License-Identifier: MIT
// What the nodes of a device count, as plain data.

/** One metric with what it stands at. */
export interface MetricSample {
  name: string;
  type: "counter" | "gauge" | "histogram";
  description: string;
  /** Counter and gauge: the value. Histogram: the sum of all observations. */
  value: number;
  /** Histogram: upper bounds of its buckets, and observations in each and beyond the last. */
  bounds: readonly number[];
  counts: readonly number[];
}

/** What is known of one node of a device. */
export interface NodeMetrics {
  /** Where it is: "0" is the topmost node, "0.1" its second child. */
  node: string;
  plugin: string;
  /** Calls that were ended before their time, and instances that were started after that. */
  failures: number;
  restarts: number;
  samples: MetricSample[];
}
