// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { metricsPlace, startMetrics } from "./metrics.ts";

const server = { metrics: () => Promise.resolve({ connections: [2], devices: [] }) };
const LINE = /^sandblock_connections\{reactor="0"\} 2$/m;
const silent = () => {};

Deno.test("a place for metrics is a socket, a port or a file", () => {
  assert.deepEqual(metricsPlace("unix:/run/m"), { kind: "unix", path: "/run/m" });
  assert.deepEqual(metricsPlace("localhost:9100"), { kind: "tcp", host: "localhost", port: 9100 });
  assert.deepEqual(metricsPlace("[::1]:0"), { kind: "tcp", host: "::1", port: 0 });
  for (const path of ["/a/b:1", "m.prom", "./x:y"]) {
    assert.deepEqual(metricsPlace(path), { kind: "file", path });
  }
  assert.throws(() => metricsPlace("unix:"), /the path is empty/);
  assert.throws(() => metricsPlace(""), /the path is empty/);
});

Deno.test("metrics are read by HTTP from a port", async () => {
  const service = await startMetrics(metricsPlace("127.0.0.1:0"), server, silent);
  const response = await fetch(service.address);
  assert.match(response.headers.get("content-type")!, /^text\/plain; version=0\.0\.4/);
  assert.match(await response.text(), LINE);
  const other = await fetch(service.address.replace("/metrics", "/other"));
  assert.equal(other.status, 404);
  const post = await fetch(service.address, { method: "POST" });
  assert.equal(post.status, 405);
  await service.close();
});

Deno.test("metrics are read by HTTP from a unix socket, one left over before included", async () => {
  const directory = Deno.makeTempDirSync();
  const path = `${directory}/socket`;
  Deno.listen({ transport: "unix", path }).close();
  const service = await startMetrics({ kind: "unix", path }, server, silent);
  using client = await Deno.connect({ transport: "unix", path });
  await client.write(new TextEncoder().encode("GET /metrics HTTP/1.0\r\nHost: x\r\n\r\n"));
  assert.match(await new Response(client.readable).text(), LINE);
  await assert.rejects(startMetrics({ kind: "unix", path }, server, silent), {
    message: `cannot listen for --metrics at unix:${path}: Address already in use`,
  });
  await service.close();
  assert.deepEqual([...Deno.readDirSync(directory)], []);
  Deno.removeSync(directory);
});

Deno.test("metrics are written to a file, at first and at the end", async () => {
  const directory = Deno.makeTempDirSync();
  const place = metricsPlace(`${directory}/m.prom`);
  const service = await startMetrics(place, server, silent);
  assert.match(Deno.readTextFileSync(`${directory}/m.prom`), LINE);
  Deno.removeSync(`${directory}/m.prom`);
  await service.close();
  assert.match(Deno.readTextFileSync(`${directory}/m.prom`), LINE);
  assert.equal([...Deno.readDirSync(directory)].length, 1);
  Deno.removeSync(directory, { recursive: true });
  await assert.rejects(startMetrics(place, server, silent), {
    message: `cannot write metrics "${directory}/m.prom": No such file or directory`,
  });
});
