// SPDX-License-Identifier: MIT
// What the tests of hostile plugins share: bounds, and parts of plugins.

export const EIO = 5;
export const TIMEOUT_MS = 300;
/** What a deadline may be late by on a loaded machine. */
export const SLACK_MS = 3000;
export const OPTIONS = [`--plugin-timeout=${TIMEOUT_MS}ms`, "--plugin-memory=64M"];

/** A call that answers a part of a read with data. */
export function data(at: string, pointer: string, length: string): string {
  return `(call $reply_data (local.get $request) (i64.const ${at}) (i32.const ${pointer})
    ${length} (i32.const 0))`;
}

/** A writing function with this code. */
export function writer(code: string): string {
  return `(func (export "sb_pwrite") (param i32 i32 i32 i64 i64 i32) (result i32) ${code})`;
}
