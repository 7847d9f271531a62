// SPDX-License-Identifier: MIT
// Small plugins in the WebAssembly text format, for tests: a working disk whose functions a test can
// replace one by one.

import wabtModule from "wabt";
import { writeManifest } from "./manifest.ts";

const wabt = await wabtModule();

const FEATURES = {
  exceptions: true,
  mutable_globals: true,
  sat_float_to_int: true,
  sign_extension: true,
  simd: true,
  threads: true,
  multi_value: true,
  tail_call: true,
  bulk_memory: true,
  reference_types: true,
  memory64: true,
  extended_const: true,
  relaxed_simd: true,
  multi_memory: true,
};

/** The module that `wat` describes, with the names of its functions. */
export function assemble(wat: string): Uint8Array<ArrayBuffer> {
  const module = wabt.parseWat("test.wat", wat, FEATURES as never);
  try {
    return module.toBinary({ write_debug_names: true }).buffer as Uint8Array<ArrayBuffer>;
  } finally {
    module.destroy();
  }
}

/** A manifest with everything that is mandatory; `more` overrides. */
export function manifestJson(more: Record<string, unknown> = {}): string {
  return JSON.stringify({
    abi: "3.0",
    name: "test",
    version: "1",
    kind: "plugin",
    description: "For tests",
    ...more,
  });
}

/** The plugin that `wat` describes. */
export function plugin(
  wat: string,
  manifest: Record<string, unknown> = {},
): Uint8Array<ArrayBuffer> {
  return writeManifest(assemble(wat), manifestJson(manifest));
}

/** Bytes of the disk that `diskWat` makes. */
export const DISK_BYTES = 65536;
const DISK_START = 65536;

/**
 * A RAM disk of DISK_BYTES at DISK_START in its memory. `replaced` gives other definitions for its
 * functions by export name ("" leaves one out), `more` adds to the module. `P` in them is the type
 * of a pointer and `wrap` makes one out of an i64.
 */
export function diskWat(
  replaced: Record<string, string> = {},
  more = "",
  { is64 = false } = {},
): string {
  const parts: Record<string, string> = { ...DISK, ...replaced };
  const text = `(module
    ${Object.entries(IMPORTS).map(([name, type]) => importWat(name, type)).join("\n")}
    (memory (export "memory") ${is64 ? "i64 " : ""}4)
    (global $heap (mut P) (P.const 131072))
    (global $__stack_pointer (mut P) (P.const 65536))
    ${Object.values(parts).join("\n")}
    ${more})`;
  return text
    .replaceAll("(P)", is64 ? "(i64)" : "(i32)")
    .replace(/\bP\b/g, is64 ? "i64" : "i32")
    .replace(/\bwrap\b/g, is64 ? "i64.or (i64.const 0)" : "i32.wrap_i64");
}

function importWat(name: string, type: string): string {
  return `(import "sandblock:v3" "${name}" (func $${name} ${type}))`;
}

const IMPORTS = {
  reply_data: "(param i32 i64 P i64 i32)",
  reply_buffer: "(param i32 i64 i64) (result P)",
  reply_zero: "(param i32 i64 i64 i32)",
  reply_error: "(param i32 i64 i64 i32)",
  extent: "(param i32 i64 i32)",
  error_text: "(param P P)",
  export_add: "(param P P P P)",
  export_default: "(param P P)",
  peer: "(param P P) (result P)",
  log: "(param i32 P P)",
  release: "(param P P)",
};

/** What came with ABI 3.1, for `more` of modules that use it. */
export const LATER_IMPORTS = {
  reply_restart: "(param i32)",
  complete: "(param i32 i32)",
  timer: "(param i64 i32) (result i32)",
  cancel: "(param i32) (result i32)",
  sleep: "(param i64) (result i32)",
  metric: "(param i32 i64)",
  resize: "(param i32 i64) (result i32)",
  block_advice: "(param i32 i32 i32)",
  feature: "(param i32 i32) (result i32)",
  clock: "(param i32) (result i64)",
  random: "(param i32 i32) (result i32)",
  file_open: "(param i32 i32 i32) (result i32)",
  file_close: "(param i32)",
  file_size: "(param i32) (result i64)",
  file_resize: "(param i32 i64) (result i32)",
  file_pread: "(param i32 i32 i64 i64 i32 i32) (result i32)",
  file_pwrite: "(param i32 i32 i64 i64 i32 i32) (result i32)",
  file_sync: "(param i32 i32 i32) (result i32)",
  file_zero: "(param i32 i64 i64 i32 i32) (result i32)",
  net_open: "(param i32 i32 i32) (result i32)",
  net_read: "(param i32 i32 i32) (result i32)",
  net_write: "(param i32 i32 i64 i32) (result i32)",
  net_close: "(param i32)",
  zone: "(param i32 i64 i64 i64 i64 i32 i32)",
  zone_appended: "(param i32 i64)",
};

/** What a filter may call besides; the last two came with 3.2. */
export const NEXT_IMPORTS = {
  next_count: "(result i32)",
  next_size: "(param i32 i32) (result i64)",
  next_info: "(param i32 i32 i32) (result i32)",
  next_list: "(param i32 i32 i32) (result i32)",
  payload: "(param i32 i64 i32 i32) (result i32)",
  next_default: "(param i32 i32 i32) (result i32)",
  next_open: "(param i32 i32 i32) (result i32)",
  next_close: "(param i32)",
  next_reopen: "(param i32 i32) (result i32)",
  next_forward: "(param i32 i32 i64 i64 i64 i32 i32) (result i32)",
  next_pread: "(param i32 i32 i32 i64 i64 i32 i32) (result i32)",
  next_pwrite: "(param i32 i32 i32 i64 i64 i32 i32) (result i32)",
  next_flush: "(param i32 i32 i32 i32) (result i32)",
  next_trim: "(param i32 i32 i64 i64 i32 i32) (result i32)",
  next_zero: "(param i32 i32 i64 i64 i32 i32) (result i32)",
  next_cache: "(param i32 i32 i64 i64 i32 i32) (result i32)",
  next_extents: "(param i32 i32 i32 i64 i64 i32 i32) (result i32)",
  next_secure_erase: "(param i32 i32 i64 i64 i32 i32) (result i32)",
  next_ioctl: "(param i32 i32 i32 i32 i32 i32) (result i32)",
};

/** A module of ABI 3.1 with `functions`, an allocator and those of `imports` that it names. */
export function laterWat(functions: string, imports: readonly string[] = []): string {
  const types: Record<string, string> = { ...IMPORTS, ...LATER_IMPORTS, ...NEXT_IMPORTS };
  const named = imports.map((name) => importWat(name, types[name]!));
  const text = `(module ${named.join("\n")}
    (memory (export "memory") 4)
    (global $heap (mut P) (P.const 131072))
    ${DISK.sb_alloc} ${DISK.sb_free} ${functions})`;
  return text.replaceAll("(P)", "(i32)").replace(/\bP\b/g, "i32");
}

/** Parameters of the functions that are called for a range. */
export const RANGE =
  "(param $h i32) (param $req i32) (param $count i64) (param $offset i64) (param $flags i32) (result i32)";

const DISK = {
  sb_alloc: `(func $alloc (export "sb_alloc") (param $size P) (param $align P) (result P)
    (local $p P)
    (local.set $p (P.and (P.add (global.get $heap) (P.sub (local.get $align) (P.const 1)))
      (P.sub (P.const 0) (local.get $align))))
    (global.set $heap (P.add (local.get $p) (local.get $size)))
    (block $fits (loop $more
      (br_if $fits (P.le_u (global.get $heap) (P.mul (memory.size) (P.const 65536))))
      (br_if $more (P.ne (memory.grow (P.const 1)) (P.const -1)))
      (return (P.const 0))))
    (local.get $p))`,
  sb_free: `(func (export "sb_free") (param P P P))`,
  sb_open: `(func (export "sb_open") (param P P i32) (result i32) (i32.const 7))`,
  sb_size: `(func (export "sb_size") (param i32) (result i64) (i64.const ${DISK_BYTES}))`,
  sb_pread: `(func (export "sb_pread") ${RANGE}
    (call $reply_data (local.get $req) (i64.const 0)
      (wrap (i64.add (local.get $offset) (i64.const ${DISK_START})))
      (local.get $count) (i32.const 1))
    (i32.const 0))`,
  sb_pwrite: `(func (export "sb_pwrite") (param $h i32) (param $req i32) (param $ptr P)
    (param $count i64) (param $offset i64) (param $flags i32) (result i32)
    (memory.copy (wrap (i64.add (local.get $offset) (i64.const ${DISK_START})))
      (local.get $ptr) (wrap (local.get $count)))
    (i32.const 0))`,
};
