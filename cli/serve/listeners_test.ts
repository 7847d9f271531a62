// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { planListeners } from "./listeners.ts";
import type { ServeValues } from "./options.ts";

const NOTHING = { listenFds: [], connected: false };

function listeners(values: ServeValues) {
  return planListeners(values, NOTHING);
}

function refused(values: ServeValues, message: RegExp): void {
  assert.throws(() => listeners(values), message);
}

Deno.test("one address family may be left out", () => {
  assert.deepEqual(listeners({ ipv4Only: true }), [
    { kind: "tcp", hosts: [{ name: "0.0.0.0", family: "ipv4" }], port: 10809 },
  ]);
  assert.deepEqual(listeners({ ipv6Only: true, port: "7" }), [
    { kind: "tcp", hosts: [{ name: "::", family: "ipv6" }], port: 7 },
  ]);
});

Deno.test("several addresses share the port", () => {
  assert.deepEqual(listeners({ ipaddr: ["127.0.0.1", "[::1]", "localhost"], port: "0" }), [{
    kind: "tcp",
    hosts: [
      { name: "127.0.0.1", family: "any" },
      { name: "::1", family: "any" },
      { name: "localhost", family: "any" },
    ],
    port: 0,
  }]);
});

Deno.test("an address of the family that was excluded is refused", () => {
  refused(
    { ipaddr: ["::1"], ipv4Only: true },
    /^UsageError: cannot use --ipaddr "::1" with --ipv4/,
  );
  refused(
    { ipaddr: ["1.2.3.4"], ipv6Only: true },
    /"1.2.3.4" with --ipv6-only: it is an IPv4 addr/,
  );
  refused({ ipaddr: [""] }, /cannot use --ipaddr "": the address is empty/);
});

Deno.test("listeners of all kinds are had together", () => {
  const uris = ["nbd://192.0.2.1:99", "nbd+unix:///?socket=/b", "nbd://[::1]"];
  assert.deepEqual(listeners({ unix: ["/a", "-"], port: "5", listen: uris, ipv4Only: false }), [
    { kind: "unix", path: "/a" },
    { kind: "private" },
    {
      kind: "tcp",
      hosts: [{ name: "::", family: "ipv6", optional: true }, { name: "0.0.0.0", family: "ipv4" }],
      port: 5,
    },
    { kind: "tcp", hosts: [{ name: "192.0.2.1", family: "any" }], port: 99 },
    { kind: "unix", path: "/b" },
    { kind: "tcp", hosts: [{ name: "::1", family: "any" }], port: 10809 },
  ]);
});

Deno.test("--unix alone does not listen on TCP", () => {
  assert.deepEqual(listeners({ unix: ["/a"] }), [{ kind: "unix", path: "/a" }]);
});

Deno.test("a captive command gets a private socket unless something else is asked for", () => {
  assert.deepEqual(listeners({ run: "x" }), [{ kind: "private" }]);
  assert.equal(listeners({ run: "x", port: "0" })[0]!.kind, "tcp");
});

Deno.test("an abstract socket is named with @ or, in a URI, with %00", () => {
  assert.deepEqual(listeners({ unix: ["@a"], listen: ["nbd+unix:///?socket=%00b"] }), [
    { kind: "unix", path: "@a" },
    { kind: "unix", path: "@b" },
  ]);
});

Deno.test("URIs that cannot be listened on are refused", () => {
  refused({ listen: ["nbds://x"] }, /cannot use --listen "nbds:\/\/x": TLS is not supported/);
  refused({ listen: ["nbd://x/disk"] }, /a listener has no export name; use --exportname/);
  refused({ listen: ["nbd+vsock://2"] }, /vsock is not supported yet/);
  refused({ listen: ["nbd://x?x-y=1"] }, /a listener has no user and no parameters/);
  refused(
    { listen: ["http://x"] },
    /"http:\/\/x": it does not begin with one of nbd:, .*; write nbd:\/\/HOST:PORT or /,
  );
});

Deno.test("an empty socket path is refused", () => {
  refused({ unix: [""] }, /cannot use --unix "": the path is empty/);
});
