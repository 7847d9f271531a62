// SPDX-License-Identifier: MIT
// Small plugins for tests, written in the text format of WebAssembly. What a plugin does not define
// itself is supplied: imports, a memory, an allocator, one export of 1 MiB that can be opened.

import wabt from "wabt";
import { withCustomSection } from "../../core/plugin/wasm/sections.ts";

/** A plugin in parts. */
export interface WatPlugin {
  /** Functions and what else belongs into a module. */
  body: string;
  /** Fields of the manifest that are not as usual; undefined leaves a field out. */
  manifest?: Record<string, unknown>;
  /** Text of the manifest section in place of JSON; null for no section. */
  rawManifest?: string | null;
  /** Pages of memory, 16 unless given, as the text format has it: `16 32`. */
  memory?: string;
  /** Further imports. */
  imports?: string;
}

const IMPORTS = `
  (import "sandblock:v3" "reply_data"
    (func $reply_data (param i32 i64 i32 i64 i32)))
  (import "sandblock:v3" "reply_zero" (func $reply_zero (param i32 i64 i64 i32)))
  (import "sandblock:v3" "reply_error" (func $reply_error (param i32 i64 i64 i32)))
  (import "sandblock:v3" "extent" (func $extent (param i32 i64 i32)))
  (import "sandblock:v3" "error_text" (func $error_text (param i32 i32)))
  (import "sandblock:v3" "log" (func $log (param i32 i32 i32)))`;

/** Supplied where the body does not export them. Lent memory begins behind the first page. */
const DEFAULTS: Record<string, string> = {
  sb_open: `(func (export "sb_open") (param i32 i32 i32) (result i32) i32.const 0)`,
  sb_size: `(func (export "sb_size") (param i32) (result i64) i64.const 1048576)`,
  sb_pread: `(func (export "sb_pread") (param $h i32) (param $request i32) (param $count i64)
      (param $offset i64) (param $flags i32) (result i32)
    (call $reply_zero (local.get $request) (i64.const 0) (local.get $count) (i32.const 0))
    i32.const 0)`,
  sb_alloc: `(global $top (mut i32) (i32.const 65536))
  (func (export "sb_alloc") (param $size i32) (param $align i32) (result i32)
    (local $at i32) (local $end i32)
    (local.set $at (i32.and
      (i32.add (global.get $top) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
    (local.set $end (i32.add (local.get $at) (local.get $size)))
    (if (i32.gt_u (local.get $end) (i32.mul (memory.size) (i32.const 65536)))
      (then (if (i32.eq (i32.const -1) (memory.grow
          (i32.add (i32.const 1) (i32.shr_u (local.get $size) (i32.const 16)))))
        (then (return (i32.const 0))))))
    (global.set $top (local.get $end))
    (local.get $at))`,
  sb_free: `(func (export "sb_free") (param i32 i32 i32))`,
};

/** The bytes of the plugin. */
export async function watPlugin(plugin: WatPlugin): Promise<Uint8Array<ArrayBuffer>> {
  const { body, manifest = {}, rawManifest, memory = "16", imports = "" } = plugin;
  const defaults = Object.entries(DEFAULTS)
    .filter(([name]) => !body.includes(`(export "${name}")`)).map(([, text]) => text);
  const text = `(module ${IMPORTS} ${imports} (memory (export "memory") ${memory})
    ${defaults.join("\n")} ${body})`;
  const bytes = await assemble(text);
  if (rawManifest === null) return bytes;
  const json = JSON.stringify({
    abi: "3.0",
    name: "test",
    version: "1.0.0",
    kind: "plugin",
    description: "A plugin for a test",
    threads: "serialized",
    parameters: [],
    limits: { memory: 128 * 1024 * 1024 },
    ...manifest,
  });
  const section = new TextEncoder().encode(rawManifest ?? json);
  return new Uint8Array(withCustomSection(bytes, "sandblock.manifest", section));
}

/** The module that the text format describes. */
export async function assemble(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const { parseWat } = await wabt();
  const module = parseWat("test.wat", text, { bulk_memory: true });
  try {
    return new Uint8Array(module.toBinary({ write_debug_names: true }).buffer);
  } finally {
    module.destroy();
  }
}

/** A function of the read form: `$request`, `$count`, `$offset` and `$flags` are its parameters. */
export function rangeCall(name: string, code: string): string {
  return `(func $${name} (export "${name}") (param $h i32) (param $request i32) (param $count i64)
    (param $offset i64) (param $flags i32) (result i32) ${code})`;
}

/** A data segment with text; its length in bytes is that of the encoded text. */
export function textAt(address: number, text: string | Uint8Array): string {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  const escaped = Array.from(bytes, (byte) => `\\${byte.toString(16).padStart(2, "0")}`).join("");
  return `(data (i32.const ${address}) "${escaped}")`;
}
