// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import fc from "fast-check";
import { blockText, contains, hasHostBits, parseBlock } from "./address.ts";
import { connectionFacts } from "./connection.ts";

Deno.test("addresses in all their spellings are understood", () => {
  for (
    const [text, expected] of [
      ["192.0.2.1", "192.0.2.1"],
      ["10.0.0.0/8", "10.0.0.0/8"],
      ["0.0.0.0/0", "0.0.0.0/0"],
      ["::", "::"],
      ["::1", "::1"],
      ["2001:db8::/32", "2001:db8::/32"],
      ["2001:DB8:0:0:1::5", "2001:db8::1:0:0:5"],
      ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
      ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
      ["::ffff:10.1.2.3", "10.1.2.3"],
      ["::ffff:0:0/96", "0.0.0.0/0"],
    ] as const
  ) assert.equal(blockText(parseBlock(text)!), expected, text);
});

Deno.test("what is no address is not taken for one", () => {
  for (
    const text of [
      ..."1.2.3 1.2.3.4.5 256.1.1.1 01.1.1.1 1.2.3.4/33 1.2.3.4/ /8 1:2:3 ::1::2 :1 12345::".split(
        " ",
      ),
      ..."1:2:3:4:5:6:7:8:9 1:2:3:4:5:6:7::8 g::1 ::1/129 1.2.3.4:5 ::1.2.3 :::".split(" "),
    ]
  ) assert.equal(parseBlock(text), null, text);
});

Deno.test("written addresses are read as what they were", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.array(fc.constantFrom(0, 0, 1, 255), { minLength: 16, maxLength: 16 }),
  );
  fc.assert(
    fc.property(bytes, fc.nat(128), (raw, bits) => {
      const block = { bytes: [...raw], prefix: Math.min(bits, raw.length * 8) };
      const again = parseBlock(blockText(block))!;
      // An IPv4 address within IPv6 becomes the IPv4 address.
      if (again.bytes.length === block.bytes.length) assert.deepEqual(again, block);
    }),
  );
});

Deno.test("a block contains the addresses with its prefix", () => {
  const isIn = (inner: string, outer: string) => contains(parseBlock(outer)!, parseBlock(inner)!);
  assert.ok(isIn("10.255.0.1", "10.0.0.0/8"));
  assert.ok(!isIn("11.0.0.0", "10.0.0.0/8"));
  assert.ok(isIn("192.0.2.127", "192.0.2.0/25"));
  assert.ok(!isIn("192.0.2.128", "192.0.2.0/25"));
  assert.ok(!isIn("10.0.0.1", "::/0"));
  assert.ok(!isIn("10.0.0.0/7", "10.0.0.0/8"));
  assert.ok(hasHostBits(parseBlock("192.0.2.1/25")!));
  assert.ok(!hasHostBits(parseBlock("192.0.2.128/25")!));
});

Deno.test("the host's words about a client become facts", () => {
  const { address, transport, uid } = connectionFacts("tcp:[fe80::1%eth0]:99", "disk");
  assert.equal(blockText(address!), "fe80::1");
  assert.deepEqual([transport, uid], [1, null]);
  const unix = connectionFacts("unix:pid=12,uid=3,gid=4", "disk", "me");
  assert.deepEqual([unix.transport, unix.pid, unix.uid, unix.gid], [2, 12, 3, 4]);
  assert.deepEqual([unix.tlsIdentity, unix.exportName, unix.address], ["me", "disk", null]);
  for (const odd of ["fd:3", "tcp:nonsense", "unix:pid=-1,uid=0,gid=0", ""]) {
    assert.equal(connectionFacts(odd, "").transport, 4, odd);
  }
});
