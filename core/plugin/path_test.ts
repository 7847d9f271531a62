// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { resolve } from "node:path";
import fc from "fast-check";
import { absolutePath } from "./path.ts";

Deno.test("a path is seen from the directory unless it is absolute", () => {
  assert.equal(absolutePath("/base", "a/b"), "/base/a/b");
  assert.equal(absolutePath("/", "a"), "/a");
  assert.equal(absolutePath("/base", "/a//b/./c/"), "/a/b/c");
  assert.equal(absolutePath("/base", "."), "/base");
  assert.equal(absolutePath("/base", "/"), "/");
});

Deno.test("what is above a directory is left to the system", () => {
  assert.equal(absolutePath("/base", "../a"), "/base/../a");
});

Deno.test("it agrees with node:path where nothing goes up", () => {
  const segments = fc.array(fc.constantFrom("a", "b c", "", ".", "...", ".x", "é"));
  fc.assert(fc.property(segments, fc.boolean(), (parts, rooted) => {
    const path = (rooted ? "/" : "") + parts.join("/");
    assert.equal(absolutePath("/base/dir", path), resolve("/base/dir", path));
  }));
});
