// SPDX-License-Identifier: MIT
// A plugin and a filter in C++, from `plugin new` to the conformance kit; and constructors run.

import { install } from "../peers.ts";
import { tryNewPlugin } from "./new_plugin.ts";

for (const kind of ["plugin", "filter"] as const) {
  Deno.test(`a new ${kind} in C++ builds, serves and passes the conformance kit`, async () => {
    await install({ "clang++": "clang", "wasm-ld": "lld" });
    await tryNewPlugin({ language: "cpp", kind });
  });
}

/** Works only if its constructor has run, once. */
const CONSTRUCTED = `#include "sandblock.hpp"
SANDBLOCK_MANIFEST({"abi": "3.0", "name": "my-plugin", "version": "1", "kind": "plugin",
  "parameters": [{"name": "size", "type": "size", "required": true, "maximum": "64M"}]});
static int64_t size;
struct Disk {
  sandblock::Memory memory;
  int constructed = 0;
  virtual ~Disk() {}
  __attribute__((noinline)) Disk() { memory = sandblock::Memory::zeroed(64 << 20); constructed++; }
  int32_t ready() { return constructed == 1 && memory ? 0 : SB_EIO; }
  int64_t size(int32_t) { return ::size; }
  sandblock::Answer read(sandblock::ReadRequest &request) {
    request.stable(memory.data() + request.offset, request.count);
    return 0;
  }
  sandblock::Answer write(sandblock::WriteRequest &request) {
    memcpy(memory.data() + request.offset, request.data, request.count);
    return 0;
  }
};
static Disk disk;
SB_INT_PARAMETERS({0, &size})
SB_PLUGIN(disk)
SB_WRITE(disk)
`;

Deno.test("constructors of global objects in C++ run once, before everything else", async () => {
  await install({ "clang++": "clang", "wasm-ld": "lld" });
  const replaced = { "my-plugin.cpp": CONSTRUCTED };
  await tryNewPlugin({ language: "cpp", kind: "plugin", replaced });
});
