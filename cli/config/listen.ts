// SPDX-License-Identifier: MIT
// Where a configuration file says that clients connect.

import { absolutePath } from "../../core/plugin/path.ts";
import { formatUri } from "../../core/nbd/uri.ts";
import { DEFAULT_PORT } from "../../core/nbd/wire.ts";
import { planListeners } from "../serve/listeners.ts";
import type { ServeValues } from "../serve/options.ts";
import type { Fault, Value } from "./read.ts";

/** What is wrong with `listeners`. */
export function listenFaults(listeners: readonly Value[]): Fault[] {
  return listeners.flatMap((listener) => {
    const { line, column } = listener;
    const message = faultOf(listener);
    return message === "" ? [] : [{ line, column, message }];
  });
}

/** The options that mean the same; paths are relative to `directory`. */
export function listenValues(listeners: readonly Value[], directory: string): ServeValues {
  const unix: string[] = [];
  const listen: string[] = [];
  for (const { text, map } of listeners) {
    const path = map?.get("unix")?.text;
    if (path === undefined) listen.push(text ?? tcpUri(map!));
    else unix.push(path.startsWith("@") ? path : absolutePath(directory, path));
  }
  return { ...unix.length > 0 && { unix }, ...listen.length > 0 && { listen } };
}

function faultOf({ text, map }: Value): string {
  if (map !== undefined) {
    if (map.has("unix") === map.has("tcp")) return 'a listener has either "unix" or "tcp"';
    if (map.has("port") && !map.has("tcp")) return '"port" belongs to "tcp"';
    if (map.get("unix")?.text === "") return "the path of the socket is empty";
    if (map.get("tcp")?.text === "") return 'the address is empty; "*" is all addresses';
    if (map.has("unix")) return "";
  }
  try {
    planListeners({ listen: [text ?? tcpUri(map!)] }, { listenFds: [], connected: false });
    return "";
  } catch (error) {
    return (error as Error).message.replace("--listen ", "listener ");
  }
}

function tcpUri(map: Map<string, Value>): string {
  const host = map.get("tcp")!.text!.replace(/^\[(.*)\]$/, "$1");
  const port = Number(map.get("port")?.text ?? DEFAULT_PORT);
  return formatUri({ scheme: "nbd", host: host === "*" ? "" : host, port });
}
