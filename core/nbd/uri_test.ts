// SPDX-License-Identifier: MIT
// NBD URIs: what they mean, what is wrong with them, how they are written.

import assert from "node:assert/strict";
import fc from "fast-check";
import { formatUri, type NbdUri, type NetworkUri, parseUri, type UnixUri } from "./uri.ts";

const nothing = { exportName: "", user: "", parameters: new Map<string, string>() };

function network(text: string): [string, number, string] {
  const { host, port, exportName } = parseUri(text) as NetworkUri;
  return [host, port, exportName];
}

function refused(text: string, message: RegExp): void {
  assert.throws(() => parseUri(text), (error: Error) => {
    assert.ok(error instanceof SyntaxError);
    assert.ok(error.message.startsWith(`cannot parse NBD URI "${text}": `), error.message);
    assert.match(error.message, message);
    return true;
  });
}

Deno.test("path without its first slash is the export name", () => {
  assert.deepEqual(network("nbd://example.com/disk"), ["example.com", 10809, "disk"]);
  assert.deepEqual(network("nbd://example.com/"), ["example.com", 10809, ""]);
  assert.deepEqual(network("nbd://example.com"), ["example.com", 10809, ""]);
  assert.deepEqual(network("nbd://example.com//disk"), ["example.com", 10809, "/disk"]);
  assert.deepEqual(network("nbd://h/hello%20world"), ["h", 10809, "hello world"]);
  assert.deepEqual(network("nbd://h/a/b:c@d+e"), ["h", 10809, "a/b:c@d+e"]);
  assert.deepEqual(network("nbd://h/%C3%BC%3F%26%25"), ["h", 10809, "ü?&%"]);
});

Deno.test("host may be an address, a name, or missing", () => {
  assert.deepEqual(network("nbd://[::1]:1/x"), ["::1", 1, "x"]);
  assert.deepEqual(network("nbd://[fe80::1%25eth0]"), ["fe80::1%eth0", 10809, ""]);
  assert.deepEqual(network("nbd://127.0.0.1:65535"), ["127.0.0.1", 65535, ""]);
  assert.deepEqual(network("nbd://h:/x"), ["h", 10809, "x"]);
  assert.deepEqual(network("nbd:///x"), ["", 10809, "x"]);
  assert.deepEqual(network("nbd:/x"), ["", 10809, "x"]);
});

Deno.test("scheme is known in any case", () => {
  for (const scheme of ["nbd", "nbds"]) {
    assert.equal(parseUri(`${scheme.toUpperCase()}://h`).scheme, scheme);
  }
});

Deno.test("user comes before the host", () => {
  assert.equal(parseUri("nbds://al%20ice@h").user, "al ice");
});

Deno.test("unix socket is a parameter", () => {
  assert.deepEqual(parseUri("nbd+unix:///disk?socket=/run/a%20b.sock"), {
    ...nothing,
    scheme: "nbd+unix",
    socket: "/run/a b.sock",
    exportName: "disk",
  });
  assert.equal((parseUri("nbd+unix:///?socket=nbd.sock") as UnixUri).socket, "nbd.sock");
});

Deno.test("abstract socket begins with NUL", () => {
  assert.equal((parseUri("nbd+unix:///?socket=%00/abstract") as UnixUri).socket, "\0/abstract");
});

Deno.test("VSOCK has numbers", () => {
  const { scheme, host, port } = parseUri("nbd+vsock://2:4294967295/x") as NetworkUri;
  assert.deepEqual([scheme, host, port], ["nbd+vsock", "2", 4294967295]);
});

Deno.test("parameters for TLS and experiments are kept", () => {
  const { parameters } = parseUri("nbds://h/?tls-type=psk&x-foo=1%262&tls-verify-peer=0&x-=");
  assert.deepEqual([...parameters], [
    ["tls-type", "psk"],
    ["x-foo", "1&2"],
    ["tls-verify-peer", "0"],
    ["x-", ""],
  ]);
});

Deno.test("plus is a plus", () => {
  assert.equal(parseUri("nbds://h/a+b?x-a=1+2").parameters.get("x-a"), "1+2");
});

Deno.test("what is no NBD URI is refused with the reason", () => {
  refused("", /it does not begin with one of nbd:, nbds:/);
  refused("http://h", /it does not begin with one of nbd:, nbds:/);
  refused("nbd", /it does not begin with one of nbd:, nbds:/);
  refused("nbd:unix:/tmp/x", /no "\/\/" behind the scheme/);
  refused("nbd://h/a b", /must be percent-encoded/);
  refused("nbd://h/ü", /must be percent-encoded/);
  refused("nbd://h/a#b", /fragment/);
  refused("nbd://h/%zz", /"%zz" is not percent-encoded UTF-8/);
  refused("nbd://h/%ff", /"%ff" is not percent-encoded UTF-8/);
  refused("nbd://h/a%00b", /export name has a NUL/);
  refused(`nbd://h/${"x".repeat(4097)}`, /longer than 4096 bytes/);
  refused("nbd://h:65536", /port 65536 is above 65535/);
  refused("nbd://h:x", /no place "h:x"/);
  refused("nbd://a:b:c", /no place/);
  refused("nbd://[::1", /no place/);
  refused("nbd+vsock://host", /"host" is no context id/);
  refused("nbd+vsock://4294967296", /no context id/);
});

Deno.test("parameters that are wrong are refused with the reason", () => {
  refused("nbd://h/?socket=/a", /"socket" is for nbd\+unix/);
  refused("nbd+unix:///", /"socket" is missing/);
  refused("nbd+unix:///?socket=", /"socket" is missing/);
  refused("nbd+unix:///?socket=a%00b", /path of the socket has a NUL/);
  refused("nbd+unix://h/disk?socket=/a", /no host; write nbd\+unix:\/\/\/disk\?socket=PATH/);
  refused("nbd+unix:///?sokcet=/a", /"sokcet" is not known; use one of socket, tls-type/);
  refused("nbds://h/?tls-type=none", /"tls-type" is "none"; use one of anon, x509, psk/);
  refused("nbds://h/?tls-verify-peer=yes", /use one of 0, 1/);
  refused("nbds://h/?x-a=1&x-a=2", /"x-a" is there twice/);
  refused("nbds://h/?x-a", /"x-a" has no value/);
});

Deno.test("URIs are written so that everyone reads them the same", () => {
  const cases: [Parameters<typeof formatUri>[0], string][] = [
    [{ scheme: "nbd", host: "localhost" }, "nbd://localhost:10809"],
    [{ scheme: "nbd", host: "::1", port: 5, exportName: "a b" }, "nbd://[::1]:5/a%20b"],
    [{ scheme: "nbd", host: "h", port: 1, exportName: "/x?y" }, "nbd://h:1//x%3Fy"],
    [{ scheme: "nbd+unix", socket: "/a b" }, "nbd+unix:///?socket=/a%20b"],
    [
      { scheme: "nbd+unix", socket: "\0n", exportName: "it's" },
      "nbd+unix:///it%27s?socket=%00n",
    ],
    [{ scheme: "nbd+vsock", host: "2", port: 3 }, "nbd+vsock://2:3"],
  ];
  for (const [fields, text] of cases) assert.equal(formatUri(fields), text);
});

const text = fc.string({ unit: "binary", maxLength: 20 }).filter((s) =>
  s.isWellFormed() && !s.includes("\0")
);
const parts = {
  exportName: text,
  user: text,
  parameters: fc.dictionary(text.map((name) => `x-${name}`), text).map((object) =>
    new Map(Object.entries(object))
  ),
};
const anyUri: fc.Arbitrary<NbdUri> = fc.oneof(
  fc.record({
    scheme: fc.constantFrom("nbd" as const, "nbds" as const),
    host: fc.oneof(fc.constantFrom("::1", "fe80::1%eth0"), fc.constant(""), fc.domain()),
    port: fc.nat(65535),
    ...parts,
  }, { noNullPrototype: true }),
  fc.record({
    scheme: fc.constantFrom("nbd+unix" as const, "nbds+unix" as const),
    socket: fc.tuple(fc.constantFrom("", "\0"), text.filter((s) => s !== "")).map(([a, b]) =>
      a + b
    ),
    ...parts,
  }, { noNullPrototype: true }),
);

Deno.test("any URI that is formatted is parsed back", () => {
  fc.assert(fc.property(anyUri, (uri) => {
    assert.deepEqual(parseUri(formatUri(uri)), uri);
  }));
});
