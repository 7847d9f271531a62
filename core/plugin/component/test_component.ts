// SPDX-License-Identifier: MIT
// Small components in the WebAssembly text format, for tests: a working disk whose functions a test
// can replace one by one. jco's own tools make the component out of the module.

import { assemble, manifestJson } from "../test_plugins.ts";
import { writeManifest } from "../manifest.ts";
import { unpackJco } from "./build_assets.ts";
import { runJcoProgram } from "./jco_program.ts";

const ROOT = `${import.meta.dirname}/../../..`;

interface Tools {
  componentEmbed(options: { binary: Uint8Array; witSource: string; world: string }): Uint8Array;
  componentNew(binary: Uint8Array, adapters: [string, Uint8Array][]): Uint8Array;
}

let tools: Tools | null = null;

function wasmTools(): Tools {
  const folder = unpackJco(`${ROOT}/dist/assets`);
  const source = Deno.readTextFileSync(`${folder}/wasm-tools.js`);
  const program = runJcoProgram<{ tools: Tools }>(source, (name) => {
    return Deno.readFileSync(`${folder}/${name}`);
  });
  return program.tools;
}

/** Makes another package of the one in wasm-plugins/abi/wit, for components that do not keep to it. */
export type ChangeWit = (source: string) => string;

/** The component that the module `wat` is for the world `plugin`, without a manifest. */
export function componentOf(wat: string, change: ChangeWit = (source) => source): Uint8Array {
  tools ??= wasmTools();
  const witSource = change(Deno.readTextFileSync(`${ROOT}/wasm-plugins/abi/wit/sandblock.wit`));
  const binary = tools.componentEmbed({ binary: assemble(wat), witSource, world: "plugin" });
  return tools.componentNew(binary, []);
}

/** The component that `wat` describes, with a manifest. */
export function component(
  wat: string,
  manifest: Record<string, unknown> = {},
  change?: ChangeWit,
): Uint8Array<ArrayBuffer> {
  return writeManifest(componentOf(wat, change), manifestJson({ abi: "3.2", ...manifest }));
}

/** Bytes of the disk. */
export const DISK_BYTES = 65536;

/** Places of flags in `calls`. */
export const CALLS = {
  exports: 1,
  defaultExport: 2,
  connect: 4,
  pread: 8,
  pwrite: 16,
  flush: 32,
  trim: 64,
  zero: 128,
  cache: 256,
  extents: 512,
  size: 1024,
  description: 2048,
  info: 4096,
  finish: 8192,
  secureErase: 1 << 14,
  ioctl: 1 << 15,
  zones: 1 << 16,
  zoneReport: 1 << 17,
  zoneAppend: 1 << 18,
  zoneOpen: 1 << 19,
  zoneClose: 1 << 20,
  zoneFinish: 1 << 21,
  zoneReset: 1 << 22,
} as const;

/** What `componentWat` implements. */
export const IMPLEMENTED = CALLS.pread | CALLS.pwrite | CALLS.flush | CALLS.zero | CALLS.extents |
  CALLS.size;

const REQUEST = "sandblock:plugin/requests@3.2.0";
const HOST = "sandblock:plugin/host@3.2.0";
const DEVICE = "sandblock:plugin/device@3.2.0";

/** Functions of the host that the module imports: parameters and result, as the ABI flattens them. */
const IMPORTS: Record<string, [string, string, string]> = {
  "data": [REQUEST, "[method]request.data", "(param i32 i64 i32 i32)"],
  "zero": [REQUEST, "[method]request.zero", "(param i32 i64 i64 i32)"],
  "fail": [REQUEST, "[method]request.fail", "(param i32 i64 i64 i32)"],
  "extent": [REQUEST, "[method]request.extent", "(param i32 i64 i32 i32)"],
  "later": [REQUEST, "[method]request.later", "(param i32) (result i32)"],
  "finish": [REQUEST, "[method]request.finish", "(param i32 i32 i32 i32 i32)"],
  "forward": [REQUEST, "[method]request.forward", "(param i32 i32 i64 i64 i64 i32 i32 i32)"],
  "payload": [REQUEST, "[method]request.payload", "(param i32 i64 i64 i32)"],
  "zone": [REQUEST, "[method]request.zone", "(param i32 i64 i64 i64 i64 i32 i32)"],
  "zone_appended": [REQUEST, "[method]request.zone-appended", "(param i32 i64)"],
  "drop": [REQUEST, "[resource-drop]request", "(param i32)"],
  "log": [HOST, "log", "(param i32 i32 i32)"],
  "timer": [HOST, "timer", "(param i64 i32 i32)"],
  "child_pread": [HOST, "[method]context.pread", "(param i32 i32 i64 i64 i32 i32)"],
  "child_pwrite": [HOST, "[method]context.pwrite", "(param i32 i32 i32 i32 i64 i32 i32 i32)"],
  "child_info": [HOST, "[method]context.child-info", "(param i32 i32 i32)"],
  "child_secure_erase": [
    HOST,
    "[method]context.secure-erase",
    "(param i32 i32 i64 i64 i32 i32)",
  ],
  "child_ioctl": [HOST, "[method]context.ioctl", "(param i32 i32 i32 i32 i32 i32 i32)"],
  "reopen": [HOST, "[method]context.reopen", "(param i32 i32 i32)"],
  "drop_context": [HOST, "[resource-drop]context", "(param i32)"],
  "new_disk": [`[export]${DEVICE}`, "[resource-new]disk", "(param i32) (result i32)"],
};

const READ = "(param $self i32) (param $count i64) (param $offset i64)";
const PLAIN_RANGE = `${READ} (param $request i32) (result i32)`;
const WRITE =
  `(param $self i32) (param $data i32) (param $length i32) (param $offset i64) (param $flags i32)
  (param $request i32) (result i32)`;

/** Exports by short name: name, type, body. The results of most begin at $ok, which is all zero. */
const EXPORTS: Record<string, [string, string, string]> = {
  implemented: [
    "implemented",
    "(result i32)",
    `(i32.const ${IMPLEMENTED})`,
  ],
  start: ["start", "(param $list i32) (param $length i32) (result i32)", "(global.get $ok)"],
  listExports: ["list-exports", "(result i32)", "(unreachable)"],
  defaultExport: ["default-export", "(result i32)", "(unreachable)"],
  connect: ["connect", "(param i32 i32) (result i32)", "(unreachable)"],
  open: [
    "open",
    "(param $name i32) (param $length i32) (param $readOnly i32) (param $context i32) (result i32)",
    `(global.set $context (local.get $context))
     (i32.store (i32.const 1060) (call $new_disk (i32.const 7)))
     (i32.store8 (i32.const 1056) (i32.const 0))
     (i32.const 1056)`,
  ],
  done: [
    "done",
    "(param $token i32) (param $tag i32) (param $a i32) (param $b i32) (param i32)",
    "",
  ],
  finish: ["finish", "", ""],
  stop: ["stop", "", ""],
  size: [
    "[method]disk.size",
    "(param $self i32) (result i32)",
    `(i32.store8 (i32.const 1072) (i32.const 0))
     (i64.store (i32.const 1080) (i64.const ${DISK_BYTES})) (i32.const 1072)`,
  ],
  description: ["[method]disk.description", "(param i32) (result i32)", "(unreachable)"],
  info: [
    "[method]disk.info",
    `(param ${"i32 ".repeat(16)}) (result i32)`,
    "(unreachable)",
  ],
  pread: [
    "[method]disk.pread",
    `${READ} (param $request i32) (result i32)`,
    `(call $data (local.get $request) (i64.const 0)
       (i32.add (global.get $disk) (i32.wrap_i64 (local.get $offset)))
       (i32.wrap_i64 (local.get $count)))
     (call $drop (local.get $request))
     (global.get $ok)`,
  ],
  pwrite: [
    "[method]disk.pwrite",
    WRITE,
    `(memory.copy (i32.add (global.get $disk) (i32.wrap_i64 (local.get $offset)))
       (local.get $data) (local.get $length))
     (global.set $heap (i32.const 131072))
     (call $drop (local.get $request))
     (global.get $ok)`,
  ],
  flush: [
    "[method]disk.flush",
    "(param $self i32) (param $request i32) (result i32)",
    "(call $drop (local.get $request)) (global.get $ok)",
  ],
  trim: [
    "[method]disk.trim",
    `${READ} (param $flags i32) (param $request i32) (result i32)`,
    "(unreachable)",
  ],
  zeroes: [
    "[method]disk.zero",
    `${READ} (param $flags i32) (param $request i32) (result i32)`,
    `(memory.fill (i32.add (global.get $disk) (i32.wrap_i64 (local.get $offset)))
       (i32.const 0) (i32.wrap_i64 (local.get $count)))
     (call $drop (local.get $request))
     (global.get $ok)`,
  ],
  cache: ["[method]disk.cache", PLAIN_RANGE, "(unreachable)"],
  extents: [
    "[method]disk.extents",
    `${READ} (param $flags i32) (param $request i32) (result i32)`,
    `(call $extent (local.get $request) (local.get $count) (i32.const 0) (i32.const 0))
     (call $drop (local.get $request))
     (global.get $ok)`,
  ],
  secureErase: ["[method]disk.secure-erase", PLAIN_RANGE, "(unreachable)"],
  ioctl: [
    "[method]disk.ioctl",
    `(param $self i32) (param $number i32) (param $argument i32) (param $length i32)
     (param $request i32) (result i32)`,
    "(unreachable)",
  ],
  zones: ["[method]disk.zones", "(param $self i32) (result i32)", "(unreachable)"],
  zoneReport: ["[method]disk.zone-report", PLAIN_RANGE, "(unreachable)"],
  zoneAppend: ["[method]disk.zone-append", WRITE, "(unreachable)"],
  zoneOpen: ["[method]disk.zone-open", PLAIN_RANGE, "(unreachable)"],
  zoneClose: ["[method]disk.zone-close", PLAIN_RANGE, "(unreachable)"],
  zoneFinish: ["[method]disk.zone-finish", PLAIN_RANGE, "(unreachable)"],
  zoneReset: ["[method]disk.zone-reset", PLAIN_RANGE, "(unreachable)"],
  dtor: ["[dtor]disk", "(param i32)", ""],
};

/** A failure with the errno `errno` and the text "no luck", as a result. */
export function failureWat(errno: number): string {
  return `(i32.store8 (i32.const 1104) (i32.const 1)) (i32.store (i32.const 1108) (i32.const ${errno}))
    (i32.store (i32.const 1112) (i32.const 512)) (i32.store (i32.const 1116) (i32.const 7))
    (i32.const 1104)`;
}

/** A RAM disk of DISK_BYTES. `replaced` gives other bodies for its exports, `more` adds to the module. */
export function componentWat(replaced: Record<string, string> = {}, more = ""): string {
  const imports = Object.entries(IMPORTS).map(([short, [module, name, type]]) => {
    return `(import "${module}" "${name}" (func $${short} ${type}))`;
  });
  const exports = Object.entries(EXPORTS).map(([short, [name, type, body]]) => {
    return `(func (export "${DEVICE}#${name}") ${type} ${replaced[short] ?? body})`;
  });
  return `(module
    ${imports.join("\n")}
    (memory (export "memory") 4)
    (global $ok i32 (i32.const 1024))
    (global $disk i32 (i32.const 65536))
    (global $heap (mut i32) (i32.const 131072))
    (global $context (mut i32) (i32.const 0))
    (global $kept (mut i32) (i32.const 0))
    (global $__stack_pointer (mut i32) (i32.const 65536))
    (data (i32.const 512) "no luck")
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
      (global.set $heap (i32.add (local.get $at) (local.get 3)))
      (local.get $at))
    ${exports.join("\n")}
    ${more})`;
}
