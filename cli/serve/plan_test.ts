// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { LIMITS_DEFAULT } from "../../core/control/options.ts";
import { root } from "../commands/root.ts";
import { parseCommandLine } from "../declare/parser.ts";
import { type Plan, planServe, type Surroundings } from "./plan.ts";
import type { ServeValues } from "./options.ts";

const ALONE: Surroundings = { listenFds: [], connectedFds: [] };

function plan(line: string, surroundings = ALONE): Plan {
  const words = line.split(" ").filter((word) => word !== "");
  const { values, operands } = parseCommandLine(root, ["serve", ...words]).invocation;
  return planServe(values as ServeValues, operands, surroundings);
}

function refusal(line: string, surroundings = ALONE): string {
  try {
    plan(line, surroundings);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error(`"${line}" was accepted`);
}

Deno.test("a plugin with parameters is all that is needed", () => {
  assert.deepEqual(plan("memory 1G a=b"), {
    plugin: "memory",
    parameters: ["1G", "a=b"],
    listeners: [{
      kind: "tcp",
      hosts: [
        { name: "::", family: "ipv6", optional: true },
        { name: "0.0.0.0", family: "ipv4" },
      ],
      port: 10809,
    }],
    connections: [],
    readOnly: false,
    threads: "auto",
    busyPollUs: "auto",
    exitWithLastClient: false,
    exitWithParent: false,
    verbose: false,
    limits: LIMITS_DEFAULT,
    fork: false,
    printUris: false,
  });
  assert.match(refusal(""), /^cannot begin: no plugin is named/);
});

Deno.test("simple options arrive in the plan", () => {
  const made = plan(
    "memory -r -e disk -t 4 -P /run/x.pid -v --exit-with-parent --exit-with-last-client " +
      "--print-uri --plugin-memory=64M",
  );
  assert.equal(made.readOnly, true);
  assert.equal(made.exportName, "disk");
  assert.equal(made.threads, 4);
  assert.equal(made.pidfile, "/run/x.pid");
  assert.equal(made.verbose, true);
  assert.equal(made.exitWithLastClient, true);
  assert.equal(made.printUris, true);
  assert.equal(made.pluginMemory, 64 * 2 ** 20);
});

Deno.test("limits are taken in the units that people write", () => {
  const { limits } = plan(
    "memory --max-connections 5 --handshake-timeout 500ms --max-options 7 --inflight-bytes 2G " +
      "--inflight-requests 9 --plugin-timeout 1m --drain-timeout 3",
  );
  assert.deepEqual(limits, {
    connectionsMax: 5,
    handshakeTimeoutMs: 500,
    optionsMax: 7,
    inflightBytesMax: 2 ** 31,
    inflightRequestsMax: 9,
    pluginTimeoutMs: 60_000,
    drainTimeoutMs: 3000,
  });
});

Deno.test("values out of range or without meaning are refused with what is right", () => {
  assert.equal(refusal("m -p 65536"), 'cannot use --port "65536": it is from 0 to 65535');
  assert.equal(refusal("m -p http"), 'cannot use --port "http": not an integer');
  assert.equal(refusal("m -t 0"), 'cannot use --threads "0": it is from 1 to 256');
  assert.equal(
    refusal("m -t all"),
    'cannot use --threads "all": it is auto or a number of threads',
  );
  assert.equal(
    refusal("m --plugin-timeout 0"),
    'cannot use --plugin-timeout "0": it is a time from 1ms to 24d',
  );
  assert.match(
    refusal("m --inflight-bytes 5Q"),
    /^cannot use --inflight-bytes "5Q": unknown suffix/,
  );
  assert.equal(
    refusal("m --busy-poll=always"),
    'cannot use --busy-poll "always": it is auto, off or a number of microseconds',
  );
  assert.match(refusal(`m -e ${"x".repeat(4097)}`), /^cannot use --exportname: it has 4097 bytes/);
});

Deno.test("--busy-poll takes words and microseconds", () => {
  assert.equal(plan("m").busyPollUs, "auto");
  assert.equal(plan("m --busy-poll=off").busyPollUs, 0);
  assert.equal(plan("m --busy-poll=50").busyPollUs, 50);
});

Deno.test("-s serves standard input and output and listens nowhere", () => {
  const { listeners, connections } = plan("m -s");
  assert.deepEqual(listeners, []);
  assert.deepEqual(connections, [{ inputFd: 0, outputFd: 1 }]);
});

Deno.test("sockets that were handed over replace the default listener", () => {
  const { listeners, connections } = plan("m", { listenFds: [3, 5], connectedFds: [4] });
  assert.deepEqual(listeners, [{ kind: "fd", fd: 3 }, { kind: "fd", fd: 5 }]);
  assert.deepEqual(connections, [{ inputFd: 4, outputFd: 4 }]);
  assert.deepEqual(plan("m", { listenFds: [], connectedFds: [3] }).listeners, []);
});

Deno.test("sockets that were handed over exclude other places, but not --listen", () => {
  const activated = { listenFds: [3], connectedFds: [] };
  for (const option of ["-i ::1", "-p 0", "-U -", "-s", "--run=x", "--fork"]) {
    assert.match(
      refusal(`m ${option}`, activated),
      /^cannot use socket activation \(LISTEN_FDS\) together with --\S+: the sockets come from/,
    );
  }
  assert.equal(plan("m --listen nbd://[::1]:99", activated).listeners.length, 2);
});

Deno.test("options that contradict each other are refused", () => {
  const pairs = [
    ["-s -U x", "--single together with --unix"],
    ["-s -p 1", "--single together with --port"],
    ["-s -i ::1", "--single together with --ipaddr"],
    ["-s --listen nbd://x", "--single together with --listen"],
    ["-s --run x", "--single together with --run"],
    ["-s --fork", "--single together with --fork"],
    ["-s --print-uri", "--single together with --print-uri"],
    ["--fork -f", "--fork together with --foreground"],
    ["--fork --run x", "--fork together with --run"],
    ["--fork --exit-with-parent", "--fork together with --exit-with-parent"],
    ["-4 -6", "--ipv4-only together with --ipv6-only"],
    ["--fd 3 -U x --fd-size 1 --fd-flags 1", "--fd together with --unix"],
  ] as const;
  for (const [line, pair] of pairs) {
    assert.ok(refusal(`m ${line}`).startsWith(`cannot use ${pair}: `), refusal(`m ${line}`));
  }
});

Deno.test("an address that nobody can guess is printed unasked", () => {
  assert.equal(plan("m -p 0").printUris, true);
  assert.equal(plan("m -U -").printUris, true);
  assert.equal(plan("m -U /x").printUris, false);
  assert.equal(plan("m --run true").printUris, false);
});

Deno.test("grants and what becomes of failed plugins arrive in the plan", () => {
  const made = plan("x --allow read=/a --restart backoff --allow clock");
  assert.deepEqual(made.allow, ["read=/a", "clock"]);
  assert.equal(made.restart, "backoff");
  assert.equal(
    refusal("x --restart restrat"),
    'cannot use --restart "restrat": it is one of fail, restart, backoff; did you mean "restart"?',
  );
});
