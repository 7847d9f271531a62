// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { Metrics } from "../plugin/metrics.ts";
import { metricsText } from "./metrics_text.ts";

Deno.test("metrics of every kind are written as Prometheus reads them", () => {
  const metrics = new Metrics([
    { name: "reads", type: "counter", description: "Reads", buckets: [] },
    { name: "fill-level", type: "gauge", description: 'How "full"\\', buckets: [] },
    { name: "ms", type: "histogram", description: "", buckets: [1, 10] },
  ]);
  assert(metrics.set(0, 5));
  assert(metrics.set(0, 7));
  assert(metrics.set(1, -3));
  for (const value of [0, 1, 2, 10, 11, 1000]) assert(metrics.set(2, value));
  assert.equal(metrics.set(3, 1), false);
  assert.equal(metrics.set(-1, 1), false);
  const node = { node: "0", plugin: "my-disk", failures: 2, restarts: 1 };
  const text = metricsText({
    connections: [3],
    devices: [{ reactor: 0, export: 'a"b', nodes: [{ ...node, samples: metrics.samples() }] }],
  });
  const where = 'reactor="0",export="a\\"b",node="0",plugin="my-disk"';
  assert.equal(
    text,
    `# HELP sandblock_connections Clients that are connected
# TYPE sandblock_connections gauge
sandblock_connections{reactor="0"} 3
# HELP sandblock_plugin_failures_total Calls into the plugin that trapped or took too long
# TYPE sandblock_plugin_failures_total counter
sandblock_plugin_failures_total{${where}} 2
# HELP sandblock_plugin_restarts_total Instances that were started in place of one that had failed
# TYPE sandblock_plugin_restarts_total counter
sandblock_plugin_restarts_total{${where}} 1
# HELP sandblock_my_disk_reads_total Reads
# TYPE sandblock_my_disk_reads_total counter
sandblock_my_disk_reads_total{${where}} 7
# HELP sandblock_my_disk_fill_level How "full"\\\\
# TYPE sandblock_my_disk_fill_level gauge
sandblock_my_disk_fill_level{${where}} -3
# TYPE sandblock_my_disk_ms histogram
sandblock_my_disk_ms_bucket{${where},le="1"} 2
sandblock_my_disk_ms_bucket{${where},le="10"} 4
sandblock_my_disk_ms_bucket{${where},le="+Inf"} 6
sandblock_my_disk_ms_sum{${where}} 1024
sandblock_my_disk_ms_count{${where}} 6
`,
  );
});

Deno.test("a name stands once, however many nodes have it", () => {
  const sample = new Metrics([{ name: "x", type: "gauge", description: "X", buckets: [] }]);
  const nodes = ["0", "0.0"].map((node) => ({
    node,
    plugin: "p",
    failures: 0,
    restarts: 0,
    samples: sample.samples(),
  }));
  const text = metricsText({ connections: [], devices: [{ reactor: 1, export: "", nodes }] });
  assert.equal(text.match(/# TYPE sandblock_p_x gauge/g)!.length, 1);
  assert.equal(text.match(/^sandblock_p_x\{/gm)!.length, 2);
});
