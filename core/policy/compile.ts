// SPDX-License-Identifier: MIT
// Compiles a program to a module of the policy kind: one function, no memory, no imports. Commands
// with the same chain share its code.

import { External, Section, ValueType } from "../plugin/wasm/format.ts";
import { startModule, withCustomSection } from "../plugin/wasm/sections.ts";
import { ByteWriter } from "../plugin/wasm/writer.ts";
import { MANIFEST_SECTION } from "../plugin/manifest.ts";
import { Assembler } from "./assembler.ts";
import { emitChain, Global, Local, verdictOf } from "./emit.ts";
import { conditionText } from "./format.ts";
import { opcodeOf } from "./instructions.ts";
import { lower, type LoweredProgram } from "./lower.ts";
import { CHECK, CHECK_TYPE, CLOCK, CLOCK_TYPE } from "./module.ts";
import { every, isClockTest, type Program } from "./program.ts";

/** A compiled policy. */
export interface Compiled {
  bytes: Uint8Array<ArrayBuffer>;
  lowered: LoweredProgram;
  /** Lengths in bytes of the code for each command; 0 for commands that policies do not see. */
  codeLengths: number[];
}

/** Compiles `program`; `name` is for people. Throws PolicyError where it has too many conditions. */
export function compile(program: Program, name: string): Compiled {
  const lowered = lower(program);
  const chains = lowered.chains.map((chain) => chain === null ? null : emitChain(chain));
  const clock = usesClock(program);
  const bodies = [
    checkBody(chains, verdictOf(program.otherwise, 0)),
    ...clock ? [clockBody()] : [],
  ];
  const types = [CHECK_TYPE, ...clock ? [CLOCK_TYPE] : []];
  const out = startModule(4096);
  out.section(
    Section.Type,
    vector(types, (to, { parameters, results }) => {
      to.byte(0x60).sized(Uint8Array.from(parameters)).sized(Uint8Array.from(results));
    }),
  );
  out.section(Section.Function, vector(bodies, (to, _, index) => to.u32(index)));
  if (clock) {
    out.section(
      Section.Global,
      vector(Object.keys(Global), (to) => {
        to.byte(ValueType.I32, 1, opcodeOf("i32.const"), 0, opcodeOf("end"));
      }),
    );
  }
  const exported = clock ? [CHECK, CLOCK] : [CHECK];
  out.section(
    Section.Export,
    vector(exported, (to, name, index) => to.name(name).byte(External.Function).u32(index)),
  );
  out.section(Section.Code, vector(bodies, (to, body) => to.sized(body)));
  const manifest = new TextEncoder().encode(manifestOf(program, lowered, name));
  return {
    bytes: withCustomSection(out.written, MANIFEST_SECTION, manifest),
    lowered,
    codeLengths: chains.map((chain) => chain?.length ?? 0),
  };
}

/** Whether a policy asks for the time. */
export function usesClock({ rules }: Program): boolean {
  return !rules.every(({ when }) => every(when, (leaf) => !isClockTest(leaf)));
}

function manifestOf(program: Program, { conditions }: LoweredProgram, name: string): string {
  return JSON.stringify({
    abi: "3.2",
    name,
    version: "1",
    kind: "policy",
    description: "Compiled rules",
    timezone: program.timezone,
    conditions: conditions.map(conditionText),
    reasons: [
      `the default (line ${program.otherwiseLine})`,
      ...program.rules.map(({ line }) => `the rule in line ${line}`),
    ],
  });
}

function vector<T>(
  items: readonly T[],
  write: (to: ByteWriter, item: T, index: number) => void,
): Uint8Array {
  const out = new ByteWriter(256).u32(items.length);
  items.forEach((item, index) => write(out, item, index));
  return out.written;
}

/** The body of `sb_check`: joins halves, then jumps to the chain of the command. */
function checkBody(chains: readonly (Uint8Array | null)[], otherwise: number): Uint8Array {
  const code = new Assembler();
  join(code, Local.OffsetHigh, Local.OffsetLow, Local.Offset);
  join(code, Local.LengthHigh, Local.LengthLow, Local.Length);
  code.get(Local.Offset).get(Local.Length).op("i64.add").set(Local.End);
  const distinct = distinctChains(chains);
  // Blocks within each other: leaving the inner ones arrives at the chain behind their end.
  for (let left = distinct.length + 1; left > 0; left--) code.open("block");
  const labels = chains.map((chain) => {
    return chain === null ? distinct.length : distinct.findIndex((one) => equal(one, chain));
  });
  code.get(Local.Command).table(labels, distinct.length);
  for (const chain of distinct) code.op("end").raw(chain);
  code.op("end").i32(otherwise).op("end");
  const locals = new ByteWriter(8).u32(2).u32(3).byte(ValueType.I64).u32(1).byte(ValueType.I32);
  return new ByteWriter(1024).raw(locals.written).raw(code.written).written;
}

function distinctChains(chains: readonly (Uint8Array | null)[]): Uint8Array[] {
  const distinct: Uint8Array[] = [];
  for (const chain of chains) {
    if (chain && !distinct.some((one) => equal(one, chain))) distinct.push(chain);
  }
  return distinct;
}

function equal(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

function join(code: Assembler, high: number, low: number, into: number): void {
  code.get(high).op("i64.extend_i32_u").i64(32n).op("i64.shl");
  code.get(low).op("i64.extend_i32_u", "i64.or").set(into);
}

function clockBody(): Uint8Array {
  const code = new Assembler();
  for (const global of [Global.Weekday, Global.Second]) {
    code.get(global).index("global.set", global);
  }
  return new ByteWriter(16).u32(0).raw(code.op("end").written).written;
}
