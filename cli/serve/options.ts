// SPDX-License-Identifier: MIT
// The options of `sandblock serve`. Letters and names are those that users of nbdkit and qemu-nbd
// know; where the two disagree, nbdkit's win.

import type { OptionTable, OptionValues } from "../declare/declaration.ts";
import { LIMITS_DEFAULT } from "../../core/control/options.ts";

const since = "0.1.0";

const LISTENING = "Where clients connect";
const SERVING = "What they get";
const RUNNING = "How it runs";
const LIMITS = "Limits";
const LOOKING = "Looking instead of serving";
const TRANSMISSION = "One client that has done its handshake already";

const seconds = (milliseconds: number) => `${milliseconds / 1000}s`;

const listening = {
  unix: {
    short: "U",
    long: "unix",
    value: "PATH|-",
    repeated: true,
    group: LISTENING,
    help: "Listen on a unix socket; - makes a private one",
    details:
      "A path that starts with @ is a name in the abstract namespace. With - the socket is " +
      "made in a new directory that only this user can enter, and both are removed at the end; " +
      "its address is printed, or known to --run as $uri and $unixsocket. A socket file on which " +
      "nobody listens any more is replaced; any other file is not.",
    complete: "file",
    since,
  },
  port: {
    short: "p",
    long: "port",
    value: "PORT",
    group: LISTENING,
    help: "TCP port; 0 lets the system choose one, which is printed",
    default: "10809",
    since,
  },
  ipaddr: {
    short: "i",
    long: "ipaddr",
    aliases: ["-b", "--bind"],
    value: "ADDRESS",
    repeated: true,
    group: LISTENING,
    help: "IP address or host name to listen on, instead of all addresses",
    since,
  },
  ipv4Only: {
    short: "4",
    long: "ipv4-only",
    group: LISTENING,
    help: "Listen on IPv4 addresses only",
    since,
  },
  ipv6Only: {
    short: "6",
    long: "ipv6-only",
    group: LISTENING,
    help: "Listen on IPv6 addresses only",
    since,
  },
  listen: {
    long: "listen",
    value: "URI",
    repeated: true,
    group: LISTENING,
    help: "Listen on nbd://HOST:PORT or nbd+unix:///?socket=PATH as well",
    details: "Any number of listeners of any kind can be had at once.",
    since,
  },
  single: {
    short: "s",
    long: "single",
    group: LISTENING,
    help: "Serve one client on standard input and output",
    details: "For inetd, xinetd, and clients that start their own server.",
    since,
  },
} as const satisfies OptionTable;

const serving = {
  config: {
    long: "config",
    value: "FILE",
    group: SERVING,
    help: "Serve what a configuration file says, in place of PLUGIN",
    details:
      "Several exports, each with a plugin and filters of its own; see sandblock-config(1). Options about " +
      "listening and limits are taken instead of what the file says. On SIGHUP the policies of the file " +
      "are read again; clients stay connected.",
    complete: "file",
    since,
  },
  filter: {
    long: "filter",
    value: "FILTER",
    repeated: true,
    group: SERVING,
    help: "Put a filter above the plugin; the first one given is nearest to the clients",
    details:
      "FILTER is the name of a bundled filter or the path of a .wasm file. Its parameters are given " +
      "among those of the plugin: each goes to every filter, and to the plugin, that has one of its " +
      "name.",
    complete: "plugin",
    since,
  },
  allow: {
    long: "allow",
    value: "[NODE:]CAPABILITY[=WHAT]",
    repeated: true,
    group: SERVING,
    help: "Allow a plugin more than its memory: read=DIR, write=DIR, net=HOST:PORT, clock, random",
    details:
      "A plugin gets nothing that is not allowed here, and nothing that its manifest does not ask " +
      'for; "plugin show" prints what that is. read=DIR lets it read files below a directory, ' +
      "write=DIR also change and make them; both take a single file as well. Without NODE: it is " +
      "for the plugin; NODE: names a filter, or a node in brackets. See docs/sandbox.md.",
    since,
  },
  exportname: {
    short: "e",
    long: "exportname",
    aliases: ["-x", "--export-name", "--export"],
    value: "NAME",
    group: SERVING,
    help: "Name by which clients know the default export",
    since,
  },
  readonly: {
    short: "r",
    long: "readonly",
    aliases: ["--read-only"],
    group: SERVING,
    help: "Refuse everything that would change the device",
    since,
  },
  policy: {
    long: "policy",
    value: "FILE",
    group: SERVING,
    help: "Rules about which requests clients may make",
    details: "See sandblock-policy(1). On SIGHUP the file is read again; clients stay connected. " +
      "A file with errors changes nothing.",
    complete: "file",
    since,
  },
  restart: {
    long: "restart",
    value: "fail|restart|backoff",
    group: SERVING,
    help: "What becomes of a plugin that traps or takes too long",
    details:
      "Its requests fail in any case. With fail it is used on as it is. With restart it is thrown " +
      "away and started again at once, with backoff after a wait that doubles each time, from 0.1 s to " +
      "30 s; what it had in memory is lost, and clients stay connected. See docs/sandbox.md.",
    default: "fail",
    complete: ["fail", "restart", "backoff"],
    since,
  },
  threads: {
    short: "t",
    long: "threads",
    value: "N",
    group: SERVING,
    help: "Threads that serve clients of a device that several can serve",
    details:
      "Several threads can serve the file backend and plugins whose parallel instances need no " +
      "common state; sandblock plugin show says so. With auto there is one for each processor, at " +
      "most 4. All other devices are served by one.",
    default: "auto",
    since,
  },
} as const satisfies OptionTable;

const running = {
  foreground: {
    short: "f",
    long: "foreground",
    group: RUNNING,
    help: "Stay in the foreground, which it does anyway",
    since,
  },
  fork: {
    long: "fork",
    group: RUNNING,
    help: "Go to the background once clients can connect",
    details: "The command that was typed ends with status 0 when the server in the background " +
      "listens, or with an error when it could not. The background process logs to syslog.",
    since,
  },
  pidfile: {
    short: "P",
    long: "pidfile",
    value: "PATH",
    group: RUNNING,
    help: "Write the process id to a file once clients can connect",
    details: "The file is removed when the server stops in good order.",
    complete: "file",
    since,
  },
  run: {
    long: "run",
    value: "COMMAND",
    group: RUNNING,
    help: "Run a shell command and serve for as long as it runs",
    details:
      "Without another listener a private unix socket is made, as by -U -. The command has " +
      "the variables $uri, $nbd, $port, $unixsocket and $exportname. Its exit status becomes that " +
      "of sandblock; a signal N that killed it becomes 128+N.",
    since,
  },
  exitWithParent: {
    long: "exit-with-parent",
    group: RUNNING,
    help: "Stop when the process that started sandblock ends",
    since,
  },
  exitWithLastClient: {
    long: "exit-with-last-client",
    group: RUNNING,
    help: "Stop when the last client has gone, once there was one",
    since,
  },
  printUri: {
    long: "print-uri",
    group: RUNNING,
    help: "Print the address of each listener on standard output",
    since,
  },
  metrics: {
    long: "metrics",
    value: "FILE|unix:PATH|HOST:PORT",
    group: RUNNING,
    help: "Where to tell numbers: connections, failures, metrics of plugins",
    details:
      "In the text format of Prometheus. A file is written every ten seconds and at the end; on a unix " +
      "socket or a TCP port they are read by HTTP, as /metrics, without a password.",
    complete: "file",
    since,
  },
  busyPoll: {
    long: "busy-poll",
    value: "auto|off|MICROSECONDS",
    group: RUNNING,
    help: "How long to poll for the next request before sleeping",
    details:
      "Polling answers sooner and costs CPU time while requests come in. With auto it polls for " +
      "a little while as long as that pays, and not at all on an idle server; as root it also keeps " +
      "the machine's processors out of deep sleep meanwhile (/dev/cpu_dma_latency).",
    default: "auto",
    complete: ["auto", "off"],
    since,
  },
  verbose: {
    short: "v",
    long: "verbose",
    group: RUNNING,
    help: "Log more, and show where errors come from",
    since,
  },
} as const satisfies OptionTable;

const limits = {
  maxConnections: {
    long: "max-connections",
    aliases: ["--max-clients"],
    value: "N",
    group: LIMITS,
    help: "Clients at a time; others wait",
    default: `${LIMITS_DEFAULT.connectionsMax}`,
    since,
  },
  handshakeTimeout: {
    long: "handshake-timeout",
    value: "DURATION",
    group: LIMITS,
    help: "Time that a client has for its handshake",
    default: seconds(LIMITS_DEFAULT.handshakeTimeoutMs),
    since,
  },
  maxOptions: {
    long: "max-options",
    value: "N",
    group: LIMITS,
    help: "Options that one client may send in its handshake",
    default: `${LIMITS_DEFAULT.optionsMax}`,
    since,
  },
  inflightBytes: {
    long: "inflight-bytes",
    value: "SIZE",
    group: LIMITS,
    help: "Memory for requests and answers under way, per thread",
    details: "A client whose requests would need more is not read from until there is room.",
    default: `${LIMITS_DEFAULT.inflightBytesMax / 2 ** 20}M`,
    since,
  },
  inflightRequests: {
    long: "inflight-requests",
    value: "N",
    group: LIMITS,
    help: "Requests that one client may have under way",
    default: `${LIMITS_DEFAULT.inflightRequestsMax}`,
    since,
  },
  pluginMemory: {
    long: "plugin-memory",
    value: "SIZE",
    group: LIMITS,
    help: "Memory that the plugin may use, instead of what it asks for",
    since,
  },
  pluginTimeout: {
    long: "plugin-timeout",
    value: "DURATION",
    group: LIMITS,
    help: "Time that one call into the plugin may take",
    details: "A call that takes longer is stopped; its request fails and the server goes on.",
    default: seconds(LIMITS_DEFAULT.pluginTimeoutMs),
    since,
  },
  drainTimeout: {
    long: "drain-timeout",
    value: "DURATION",
    group: LIMITS,
    help: "Time that requests under way have when the server stops",
    default: seconds(LIMITS_DEFAULT.drainTimeoutMs),
    since,
  },
} as const satisfies OptionTable;

const transmission = {
  fd: {
    long: "fd",
    value: "N",
    group: TRANSMISSION,
    help: "Serve on this inherited descriptor, without a handshake",
    details: "For programs that negotiate themselves and hand the socket over. --fd-size and " +
      "--fd-flags say what the client was told.",
    since,
  },
  fdSize: {
    long: "fd-size",
    value: "SIZE",
    group: TRANSMISSION,
    help: "Size of the export that the client was told",
    since,
  },
  fdFlags: {
    long: "fd-flags",
    value: "FLAGS",
    group: TRANSMISSION,
    help: "Transmission flags that it was told: a number, or names with commas",
    details:
      "Names are those of the protocol without prefix and in lower case: read-only, flush, " +
      "fua, rotational, trim, write-zeroes, df, multi-conn, cache, fast-zero, block-status-payload.",
    since,
  },
  fdReplies: {
    long: "fd-replies",
    value: "simple|structured|extended",
    group: TRANSMISSION,
    help: "Form of replies that was agreed",
    default: "simple",
    complete: ["simple", "structured", "extended"],
    since,
  },
  fdExport: {
    long: "fd-export",
    value: "NAME",
    group: TRANSMISSION,
    help: "Name of the export; the default export when not given",
    since,
  },
} as const satisfies OptionTable;

const looking = {
  dumpPlugin: {
    long: "dump-plugin",
    group: LOOKING,
    help: "Print what the plugin is and can do, as key=value lines",
    since,
  },
  dumpConfig: {
    long: "dump-config",
    group: LOOKING,
    help: "Print what this sandblock is and can do, as key=value lines",
    since,
  },
  json: {
    long: "json",
    group: LOOKING,
    help: "Print JSON in place of lines",
    since,
  },
  version: {
    short: "V",
    long: "version",
    group: LOOKING,
    help: "Print the version of sandblock, or of the plugin that is named",
    since,
  },
  help: {
    short: "h",
    long: "help",
    group: LOOKING,
    help: "Print this, or the parameters of the plugin that is named",
    since,
  },
} as const satisfies OptionTable;

/** All options of `serve`. */
export const serveOptions = {
  ...listening,
  ...serving,
  ...running,
  ...limits,
  ...transmission,
  ...looking,
} as const;

/** Their values after parsing. */
export type ServeValues = OptionValues<typeof serveOptions>;
