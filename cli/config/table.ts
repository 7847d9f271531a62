// SPDX-License-Identifier: MIT
// The keys of a configuration file (docs/config.md).

import { LIMITS_DEFAULT } from "../../core/control/options.ts";
import { RESTART_POLICIES } from "../../core/plugin/restart_policy.ts";
import type { Fields, Shape, Shapes } from "./shape.ts";

const TEXT: Shape = { kind: "text" };
const FLAG: Shape = { kind: "flag" };
const DURATION: Shape = { kind: "duration", minimum: 1, maximum: 2 ** 31 - 1 };
const COUNT: Shape = { kind: "count", minimum: 1, maximum: 1_000_000 };
const MEMORY: Shape = { kind: "size", minimum: 65536, maximum: 2 ** 34 };
const seconds = (milliseconds: number) => `${milliseconds / 1000}s`;

/** One value or a list of them. */
function oneOrMore(of: Shape): Shape {
  return { kind: "either", of: [of, { kind: "list", of }] };
}

const node: Fields = {
  plugin: {
    shape: TEXT,
    required: true,
    help:
      "Name of a bundled plugin or filter, or path of a .wasm file. A relative path starts at the " +
      "directory of this file.",
  },
  parameters: {
    shape: { kind: "map", names: "parameter", of: oneOrMore(TEXT) },
    help:
      "Its parameters, as on the command line. One that may be given several times can have a list. " +
      "Relative paths start at the directory of this file.",
  },
  memory: { shape: MEMORY, help: "Memory that it may use, instead of what it asks for." },
  timeout: {
    shape: DURATION,
    help: "Time that one call into it may take.",
    default: "plugin-timeout of limits",
  },
  restart: {
    shape: { kind: "choice", values: RESTART_POLICIES },
    help: "What becomes of it when it traps or takes too long.",
    default: "fail",
  },
  allow: {
    shape: oneOrMore(TEXT),
    help:
      "What it is allowed beyond its own memory, as for --allow: read=DIR, write=DIR, net=HOST:PORT, clock, random.",
  },
};

const device: Fields = {
  ...node,
  filters: {
    shape: oneOrMore({ kind: "ref", name: "filter" }),
    help: "Filters above it, the first nearest to the clients.",
  },
  below: {
    shape: oneOrMore({ kind: "ref", name: "device" }),
    help: "What a filter stands on that is named as the plugin, such as mirror.",
  },
};

const listener: Fields = {
  unix: {
    shape: TEXT,
    help:
      "Path of a unix socket, or @NAME in the abstract namespace. A relative path starts at the " +
      "directory of this file.",
  },
  tcp: { shape: TEXT, help: "IP address or host name. * is all addresses of the machine." },
  port: {
    shape: { kind: "count", minimum: 0, maximum: 65535 },
    help: "TCP port, with tcp; 0 lets the system choose one.",
    default: "10809",
  },
};

const limits: Fields = {
  "max-connections": {
    shape: COUNT,
    help: "Clients at a time; others wait.",
    default: `${LIMITS_DEFAULT.connectionsMax}`,
  },
  "handshake-timeout": {
    shape: DURATION,
    help: "Time that a client has for its handshake.",
    default: seconds(LIMITS_DEFAULT.handshakeTimeoutMs),
  },
  "max-options": {
    shape: COUNT,
    help: "Options that one client may send in its handshake.",
    default: `${LIMITS_DEFAULT.optionsMax}`,
  },
  "inflight-bytes": {
    shape: { kind: "size", minimum: 2 ** 20, maximum: 2 ** 40 },
    help: "Memory for requests and answers under way, per export.",
    default: `${LIMITS_DEFAULT.inflightBytesMax / 2 ** 20}M`,
  },
  "inflight-requests": {
    shape: COUNT,
    help: "Requests that one client may have under way.",
    default: `${LIMITS_DEFAULT.inflightRequestsMax}`,
  },
  "plugin-memory": {
    shape: MEMORY,
    help: "Memory that each plugin may use which has no memory of its own here.",
  },
  "plugin-timeout": {
    shape: DURATION,
    help: "Time that one call into a plugin may take.",
    default: seconds(LIMITS_DEFAULT.pluginTimeoutMs),
  },
  "drain-timeout": {
    shape: DURATION,
    help: "Time that requests under way have when the server stops.",
    default: seconds(LIMITS_DEFAULT.drainTimeoutMs),
  },
};

/** Shapes by name. */
export const SHAPES: Shapes = {
  export: {
    kind: "fields",
    fields: {
      description: {
        shape: TEXT,
        help: "What clients are told that it is.",
        default: "the name of the file, or what the plugin says of itself",
      },
      default: {
        shape: FLAG,
        help: "Whether clients get it that name no export. An only export is the default anyway.",
        default: "false",
      },
      "read-only": {
        shape: FLAG,
        help: "Whether everything is refused that would change it.",
        default: "false",
      },
      policy: {
        shape: TEXT,
        help:
          "File with the rules about which requests clients may make. A relative path starts at the " +
          "directory of this file. On SIGHUP it is read again.",
      },
      ...device,
    },
  },
  device: { kind: "fields", fields: device, short: "plugin" },
  filter: { kind: "fields", fields: node, short: "plugin" },
};

/** The whole file. */
export const CONFIG: Extract<Shape, { kind: "fields" }> = {
  kind: "fields",
  fields: {
    listen: {
      shape: oneOrMore({
        kind: "either",
        of: [TEXT, { kind: "fields", fields: listener }],
      }),
      help:
        "Where clients connect: URIs as for --listen, or mappings. Options of the command line and " +
        "sockets of a service manager are taken instead of it.",
      default: "TCP port 10809 on all addresses",
    },
    exports: {
      shape: { kind: "map", names: "export", of: { kind: "ref", name: "export" } },
      required: true,
      help: "What is served, by the names that clients use.",
    },
    threads: {
      shape: { kind: "count", minimum: 1, maximum: 256 },
      help:
        "Threads that the exports share. A plugin that loops holds up the exports on its thread.",
      default: "one for each export, up to 8",
    },
    "busy-poll": {
      shape: { kind: "count", minimum: 0, maximum: 1_000_000, words: ["auto", "off"] },
      help: "Microseconds to poll for the next request before sleeping.",
      default: "auto",
    },
    limits: { shape: { kind: "fields", fields: limits }, help: "Bounds of the server." },
  },
};
