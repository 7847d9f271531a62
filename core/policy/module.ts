// SPDX-License-Identifier: MIT
// The policy kind of ABI v3 (wasm-plugins/abi/policy.md): the functions of a module and
// how a verdict is put into a number.

import { ValueType } from "../plugin/wasm/format.ts";
import type { FunctionType } from "../plugin/wasm/module.ts";

const { I32 } = ValueType;

/**
 * `sb_check(command, flags, offset high, offset low, length high, length low, context high, context
 * low) -> verdict`. Bit n of the context is whether condition n of the manifest holds for the client.
 */
export const CHECK = "sb_check";
export const CHECK_TYPE: FunctionType = { parameters: new Array(8).fill(I32), results: [I32] };
/** `sb_clock(weekday, second of the day)`, called before `sb_check` whenever they have changed. */
export const CLOCK = "sb_clock";
export const CLOCK_TYPE: FunctionType = { parameters: [I32, I32], results: [] };

/** Conditions about clients that one policy may have: bits of the context. */
export const CONDITIONS_MAX = 64;

/** Parts of a verdict. */
export const Verdict = {
  /** Bits 0 to 7: 0 allows, 1 to 133 is the errno, KILL closes the connection. */
  ActionMask: 0xff,
  Kill: 0xff,
  /** Bits 8 to 19: which reason of the manifest it has. */
  ReasonShift: 8,
  ReasonMask: 0xfff,
  /** The request is worth a line in the log. */
  Log: 0x100000,
} as const;
