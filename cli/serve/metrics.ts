// SPDX-License-Identifier: MIT
// --metrics: where the numbers of a server can be read, in the form of Prometheus: a file that is written
// again and again, or HTTP on a unix socket or a port.

import { metricsText } from "../../core/control/metrics_text.ts";
import type { Server } from "../../core/control/options.ts";
import { UsageError } from "../errors.ts";
import { reason } from "../files.ts";
import type { Log } from "../log.ts";

/** How often the file is written. */
const FILE_INTERVAL_MS = 10_000;
const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Where the numbers go. */
export type MetricsPlace =
  | { kind: "file"; path: string }
  | { kind: "unix"; path: string }
  | { kind: "tcp"; host: string; port: number };

/** The place that `text` names: `unix:PATH`, `HOST:PORT`, or the path of a file. Throws UsageError. */
export function metricsPlace(text: string): MetricsPlace {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    if (path !== "") return { kind: "unix", path };
    throw new UsageError('cannot use --metrics "unix:": the path is empty');
  }
  const tcp = /^(\[[0-9A-Fa-f:.]+\]|[^/:]+):(\d{1,5})$/.exec(text);
  if (tcp === null || Number(tcp[2]) > 65535) {
    if (text !== "") return { kind: "file", path: text };
    throw new UsageError("cannot use --metrics: the path is empty");
  }
  return { kind: "tcp", host: tcp[1]!.replace(/^\[(.*)\]$/, "$1"), port: Number(tcp[2]) };
}

/** Lets numbers be read until it is closed. */
export interface MetricsService {
  /** Where, for people; "" for a file. */
  readonly address: string;
  close(): Promise<void>;
}

/** Starts to tell the numbers of `server`. Throws Error with one sentence. */
export async function startMetrics(
  place: MetricsPlace,
  server: Pick<Server, "metrics">,
  log: Log,
): Promise<MetricsService> {
  if (place.kind === "file") return await writeFiles(place.path, server, log);
  if (place.kind === "unix") await removeStale(place.path);
  return serveHttp(place, server);
}

function serveHttp(
  place: Exclude<MetricsPlace, { kind: "file" }>,
  server: Pick<Server, "metrics">,
): MetricsService {
  let address = "";
  const onListen = (at: Deno.Addr) => {
    if (at.transport === "tcp") address = `http://${at.hostname}:${at.port}/metrics`;
    else if (place.kind === "unix") address = `unix:${place.path}`;
  };
  const answer = async (request: Request) => {
    const { pathname } = new URL(request.url);
    if (pathname !== "/metrics" && pathname !== "/") return new Response(null, { status: 404 });
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response(null, { status: 405, headers: { allow: "GET, HEAD" } });
    }
    const text = metricsText(await server.metrics());
    return new Response(text, { headers: { "content-type": CONTENT_TYPE } });
  };
  const where = place.kind === "unix"
    ? { path: place.path }
    : { hostname: place.host, port: place.port };
  let http: Deno.HttpServer;
  try {
    http = Deno.serve({ ...where, onListen } as Deno.ServeTcpOptions, answer);
  } catch (error) {
    const text = place.kind === "unix" ? `unix:${place.path}` : `${place.host}:${place.port}`;
    throw new Error(`cannot listen for --metrics at ${text}: ${reason(error)}`);
  }
  return {
    address,
    async close() {
      await http.shutdown();
      if (place.kind === "unix") removeQuietly(place.path);
    },
  };
}

/** Removes a socket on which nobody listens, as a server leaves it that was killed. */
async function removeStale(path: string): Promise<void> {
  try {
    if (!Deno.lstatSync(path).isSocket) return;
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (error) {
    // Whatever else there is, listening will say.
    if (error instanceof Deno.errors.ConnectionRefused) removeQuietly(path);
  }
}

function removeQuietly(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // Somebody else has removed it.
  }
}

async function writeFiles(
  path: string,
  server: Pick<Server, "metrics">,
  log: Log,
): Promise<MetricsService> {
  // Readers never see half of it.
  const draft = `${path}.${Deno.pid}.new`;
  const write = async () => {
    const text = metricsText(await server.metrics());
    try {
      Deno.writeTextFileSync(draft, text);
      Deno.renameSync(draft, path);
    } catch (error) {
      removeQuietly(draft);
      throw new Error(`cannot write metrics "${path}": ${reason(error)}`);
    }
  };
  const again = () => write().catch((error) => log("error", (error as Error).message));
  await write();
  const timer = setInterval(again, FILE_INTERVAL_MS);
  return {
    address: "",
    async close() {
      clearInterval(timer);
      await again();
    },
  };
}
