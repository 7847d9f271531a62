// SPDX-License-Identifier: MIT
// Which modules are accepted as plugins, and the one sentence about each that is not.

import assert from "node:assert/strict";
import fc from "fast-check";
import { PluginError } from "./errors.ts";
import { readManifest } from "./manifest.ts";
import { MEMORY_DEFAULT } from "./bounds.ts";
import { preparePlugin } from "./prepare.ts";
import { assemble, diskWat, manifestJson, plugin, RANGE } from "./test_plugins.ts";
import { withCustomSection } from "./wasm/sections.ts";

const MiB = 1024 * 1024;

function refuses(
  wat: string,
  message: RegExp,
  manifest: Record<string, unknown> = {},
  options = {},
): void {
  assert.throws(() => preparePlugin(plugin(wat, manifest), options), {
    name: "PluginError",
    message,
  });
}

/** The smallest plugin: it can be read, and that is all. */
const SMALL = `
  (func (export "sb_open") (param i32 i32 i32) (result i32) (i32.const 0))
  (func (export "sb_size") (param i32) (result i64) (i64.const 0))
  (func (export "sb_pread") ${RANGE} (i32.const 0))`;

Deno.test("a plugin is prepared without running it, and can be sent to another thread", async () => {
  const start = `(func $begin unreachable) (start $begin)`;
  const prepared = preparePlugin(plugin(diskWat({}, start)));
  assert.deepEqual(prepared.memories, [{
    initial: 4,
    maximum: MEMORY_DEFAULT / 65536,
    is64: false,
  }]);
  assert.equal(prepared.memory, 0);
  assert(prepared.exports.includes("sb_pwrite"));
  const { port1, port2 } = new MessageChannel();
  const received = new Promise((resolve) => port2.onmessage = ({ data }) => resolve(data));
  port1.postMessage(prepared);
  const copy = await received as typeof prepared;
  assert.deepEqual(copy.manifest, prepared.manifest);
  assert(copy.code instanceof WebAssembly.Module);
  port1.close();
  port2.close();
});

Deno.test("the smallest plugin needs no allocator", () => {
  preparePlugin(plugin(`(module (memory (export "memory") 0) ${SMALL})`));
});

Deno.test("a module that the engine refuses is refused with its reason", () => {
  const wrong = Uint8Array.from(plugin(`(module (memory (export "memory") 1) ${SMALL})`));
  const at = wrong.lastIndexOf(0x42); // i64.const in sb_size, which becomes an i32.const
  wrong[at] = 0x41;
  assert.throws(() => preparePlugin(wrong), {
    name: "PluginError",
    message: /^not a valid WebAssembly module: .*expected.*i64/,
  });
});

Deno.test("imports that no host has are refused", () => {
  const memory = `(memory (export "memory") 1)`;
  const refuse = (module: string, name: string, message: RegExp, what = "(func)") => {
    refuses(`(module (import "${module}" "${name}" ${what}) ${memory} ${SMALL})`, message);
  };
  refuse(
    "env",
    "abort",
    /^it imports the function "abort" from "env"; a plugin imports functions of "sandblock:v3" and "wasi_snapshot_preview1" only$/,
  );
  refuse(
    "sandblock:v3",
    "reply_dta",
    /^it imports the unknown function "reply_dta" from "sandblock:v3"; did you mean "reply_data"\?$/,
  );
  refuse(
    "sandblock:v3",
    "log",
    /^its import "log" has the type \(\) -> \(\); it must be \(i32, i32, i32\) -> \(\)$/,
  );
  refuse(
    "sandblock:v3",
    "peer",
    /its import "peer" has .*; it must be \(i32, i32\) -> i32$/,
    "(func (param i64 i64) (result i64))",
  );
  refuse(
    "wasi_snapshot_preview1",
    "fd_wirte",
    /^it imports the unknown function "fd_wirte" from "wasi_.*"; did you mean "fd_write"\?$/,
  );
  refuse("wasi_snapshot_preview1", "fd_write", /it must be \(i32, i32, i32, i32\) -> i32$/);
  refuse("env", "t", /^it imports the table "t" from "env"/, "(table 1 funcref)");
  refuse("env", "g", /^it imports the global "g" from "env"/, "(global i32)");
  refuse("env", "e", /^it imports the tag "e" from "env"/, "(tag)");
  refuses(
    `(module (import "env" "memory" (memory 1)) (export "memory" (memory 0)) ${SMALL})`,
    /^it imports the memory "memory" from "env"/,
  );
});

Deno.test("exports that are missing or of another type are named", () => {
  const without = (name: string) => diskWat({ [name]: "" });
  refuses(without("sb_open"), /^it does not export the function "sb_open"$/);
  refuses(without("sb_size"), /^it does not export the function "sb_size"$/);
  refuses(without("sb_pread"), /^it does not export the function "sb_pread"$/);
  refuses(without("sb_alloc"), /"sb_alloc", which it needs because it exports "sb_pwrite"$/);
  refuses(without("sb_free"), /"sb_free", which it needs because it exports "sb_pwrite"$/);
  refuses(
    diskWat({ sb_alloc: "", sb_free: "", sb_pwrite: "" }),
    /"sb_alloc", which it needs because it imports "reply_buffer"$/,
  );
  refuses(diskWat(), /"sb_param_int", which it needs because it has the parameter "n"$/, {
    parameters: [{ name: "n", type: "size" }],
  });
  refuses(diskWat(), /"sb_param_bytes", which it needs because it has the parameter "s"$/, {
    parameters: [{ name: "s", type: "string" }],
  });
  const size = `(func (export "sb_size") (param i32) (result i32) (i32.const 0))`;
  refuses(
    diskWat({ sb_size: size }),
    /^its export "sb_size" has the type \(i32\) -> i32; it must be \(i32\) -> i64$/,
  );
  refuses(
    diskWat({}, `(func (export "sb_prwite"))`),
    /^it exports the unknown function "sb_prwite"; did you mean "sb_pwrite"\?$/,
  );
  refuses(
    diskWat({}, `(global (export "sb_list") i32 (i32.const 0))`),
    /^its export "sb_list" is a global, not a function$/,
  );
  refuses(
    diskWat({}, `(func (export "_initialize") (param i32))`),
    /^its export "_initialize" has the type/,
  );
});

Deno.test("pointers are i64 where the memory is 64-bit", () => {
  preparePlugin(plugin(diskWat({}, "", { is64: true })));
  refuses(
    `(module (memory (export "memory") i64 1) ${SMALL})`,
    /^its export "sb_open" has the type \(i32, i32, i32\) -> i32; it must be \(i64, i64, i32\) -> i32$/,
  );
});

Deno.test("memory is bounded by the caller, the manifest or the default, in this order", () => {
  const disk = (limits: object, options = {}) => {
    const [memory] = preparePlugin(plugin(diskWat(), { limits }), options).memories;
    return memory!.maximum * 65536;
  };
  assert.equal(disk({}), MEMORY_DEFAULT);
  assert.equal(disk({ memory: 512 * MiB }), 512 * MiB);
  assert.equal(disk({ memory: 512 * MiB }, { memoryMaximum: MiB }), MiB);
  assert.equal(disk({}, { memoryMaximum: 2 ** 40 }), 2 ** 32);
  refuses(diskWat(), /^it starts with 262144 bytes of memory; it may have 262143$/, {}, {
    memoryMaximum: 4 * 65536 - 1,
  });
  const own = `(module (memory (export "memory") 1 3) ${SMALL})`;
  assert.deepEqual(preparePlugin(plugin(own)).memories, [{ initial: 1, maximum: 3, is64: false }]);
});

Deno.test("several memories share the bound", () => {
  const wat = `(module (memory 2 5) (memory (export "memory") i64 1) (memory 3)
    ${SMALL.replace("(param i32 i32 i32)", "(param i64 i64 i32)")})`;
  const prepared = preparePlugin(plugin(wat), { memoryMaximum: 20 * 65536 });
  assert.equal(prepared.memory, 1);
  assert.deepEqual(prepared.memories, [
    { initial: 2, maximum: 5, is64: false },
    { initial: 1, maximum: 12, is64: true },
    { initial: 3, maximum: 3, is64: false },
  ]);
});

Deno.test("memories and tables that cannot be bounded are refused", () => {
  refuses(`(module ${SMALL})`, /^it exports no memory called "memory"$/);
  refuses(
    `(module (func (export "memory")) ${SMALL})`,
    /^its export "memory" is a function, not a memory$/,
  );
  refuses(`(module (memory (export "memory") 1 1 shared) ${SMALL})`, /^its memory is shared; /);
  const memory = `(memory (export "memory") 1)`;
  refuses(
    `(module ${memory} (table 1048577 funcref) ${SMALL})`,
    /^it has a table of 1048577 elements; a table may have 1048576$/,
  );
  refuses(
    `(module ${memory} ${"(table 1 funcref)".repeat(17)} ${SMALL})`,
    /^it has 17 tables; it may have 16$/,
  );
  refuses(
    `(module ${memory} ${"(memory 1)".repeat(16)} ${SMALL})`,
    /^it has 17 memories; it may have 16$/,
  );
});

Deno.test("of what a module exports only what the ABI names is left, and the stack pointer", () => {
  const exports = (wat: string) => {
    const module = preparePlugin(plugin(wat)).code as WebAssembly.Module;
    return WebAssembly.Module.exports(module).map(({ name }) => name);
  };
  const more = `(func (export "malloc")) (table (export "table") 1 funcref)`;
  assert(!exports(diskWat({}, more)).includes("malloc"));
  assert(!exports(diskWat({}, more)).includes("table"));
  // Found by its name in the name section.
  assert(exports(diskWat()).includes("__stack_pointer"));
  const exported = `(global (export "__stack_pointer") (mut i32) (i32.const 7))`;
  assert(
    exports(`(module (memory (export "memory") 1) ${exported} ${SMALL})`).includes(
      "__stack_pointer",
    ),
  );
  assert(!exports(`(module (memory (export "memory") 1) ${SMALL})`).includes("__stack_pointer"));
});

Deno.test("bytes that are damaged anywhere are refused with a PluginError or are a plugin", () => {
  const good = plugin(diskWat(), { parameters: [] });
  const onlyPluginError = (bytes: Uint8Array) => {
    for (const run of [readManifest, preparePlugin]) {
      try {
        run(bytes);
      } catch (error) {
        assert(error instanceof PluginError, `${(error as Error).stack}`);
        assert(/^[^\n]+[^.\n]$/.test(error.message), JSON.stringify(error.message));
      }
    }
  };
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      fc.option(fc.nat(good.length), { nil: undefined }),
      (changes, cut) => {
        const bytes = good.slice();
        for (const [at, value] of changes) bytes[at] = value;
        onlyPluginError(bytes.subarray(0, cut));
      },
    ),
    { numRuns: 1500 },
  );
  const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    onlyPluginError(bytes);
    onlyPluginError(Uint8Array.from([...header, ...bytes]));
  }));
});

Deno.test("a manifest with damage anywhere is refused with a PluginError or is a manifest", () => {
  const module = assemble("(module)");
  const json = new TextEncoder().encode(manifestJson({
    parameters: [{ name: "n", type: "size", default: "1G", minimum: "1K", positional: true }],
    limits: { memory: 65536 },
  }));
  const byte = fc.oneof(fc.nat(255), fc.constantFrom(...new TextEncoder().encode('{}[]",:0-9nt')));
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(json.length - 1), byte), { minLength: 1, maxLength: 3 }),
      (changes) => {
        const content = json.slice();
        for (const [at, value] of changes) content[at] = value;
        try {
          readManifest(withCustomSection(module, "sandblock.manifest", content));
        } catch (error) {
          assert(error instanceof PluginError, `${(error as Error).stack}`);
        }
      },
    ),
    { numRuns: 1000 },
  );
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    const content = new TextEncoder().encode(
      JSON.stringify({ ...JSON.parse(manifestJson()), value }),
    );
    const more = withCustomSection(module, "sandblock.manifest", content);
    assert.throws(() => readManifest(more), PluginError);
  }));
});
