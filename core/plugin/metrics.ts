// SPDX-License-Identifier: MIT
// The numbers that one instance keeps up to date (ABI, "Features, metrics, size").

import type { MetricSample } from "../block/metrics.ts";
import type { MetricDeclaration } from "./manifest_node.ts";

/** See the top of this file. */
export class Metrics {
  readonly #declared: readonly MetricDeclaration[];
  readonly #values: Float64Array;
  readonly #counts: (Float64Array | null)[];

  constructor(declared: readonly MetricDeclaration[]) {
    this.#declared = declared;
    this.#values = new Float64Array(declared.length);
    this.#counts = declared.map(({ type, buckets }) => {
      return type === "histogram" ? new Float64Array(buckets.length + 1) : null;
    });
  }

  /** Sets a counter or gauge, or adds an observation. False where there is no such metric. */
  set(index: number, value: number): boolean {
    if (index < 0 || index >= this.#values.length) return false;
    const counts = this.#counts[index]!;
    if (counts === null) {
      this.#values[index] = value;
      return true;
    }
    this.#values[index]! += value;
    const { buckets } = this.#declared[index]!;
    let at = 0;
    while (at < buckets.length && value > buckets[at]!) at++;
    counts[at]!++;
    return true;
  }

  /** All of them as they are now. */
  samples(): MetricSample[] {
    return this.#declared.map(({ name, type, description, buckets }, index) => ({
      name,
      type,
      description,
      value: this.#values[index]!,
      bounds: buckets,
      counts: [...this.#counts[index] ?? []],
    }));
  }
}
