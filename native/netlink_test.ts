// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { SystemError } from "./errno.ts";
import {
  attributeNest,
  attributeText,
  attributeU32,
  attributeU64,
  GenericNetlink,
  parseAttributes,
  u32Of,
} from "./netlink.ts";

Deno.test("attributes are padded, found again by type, and may be nested", () => {
  const inner = [attributeU32(1, 7), attributeU32(2, 0xffffffff)];
  const bytes = new Uint8Array([
    ...attributeText(3, "abc"),
    ...attributeNest(7, ...inner),
    ...attributeU64(4, 2n ** 40n),
  ]);
  assert.equal(bytes.length % 4, 0);
  const found = parseAttributes(bytes);
  assert.deepEqual([...found.keys()], [3, 7, 4]);
  assert.equal(new TextDecoder().decode(found.get(3)), "abc\0");
  assert.equal(u32Of(parseAttributes(found.get(7)!), 2), 0xffffffff);
  assert.equal(u32Of(found, 5), undefined);
});

Deno.test("attributes that are cut off are left out", () => {
  const bytes = new Uint8Array([...attributeU32(1, 7), ...attributeU32(2, 8)]);
  for (let length = 0; length < bytes.length; length++) {
    const found = parseAttributes(bytes.slice(0, length));
    assert.equal(u32Of(found, 2), undefined);
    assert.equal(u32Of(found, 1), length < 8 ? undefined : 7);
  }
  // A length of zero must not loop for ever.
  assert.equal(parseAttributes(new Uint8Array(16)).size, 0);
});

Deno.test("the family that every kernel has answers about itself; unknown ones are refused", () => {
  const CTRL_CMD_GETFAMILY = 3;
  const CTRL_ATTR_FAMILY_NAME = 2;
  const CTRL_ATTR_VERSION = 3;
  using netlink = new GenericNetlink("nlctrl", 1);
  const wanted = [attributeText(CTRL_ATTR_FAMILY_NAME, "nlctrl")];
  const answer = netlink.request(CTRL_CMD_GETFAMILY, "ask about nlctrl", wanted);
  assert.equal(u32Of(answer, CTRL_ATTR_VERSION), 2);
  assert.throws(
    () => new GenericNetlink("no-such-thing", 1),
    (error) => error instanceof SystemError && error.code === "ENOENT",
  );
});
