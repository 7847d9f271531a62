// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import fc from "fast-check";
import { verdictOn } from "./check_words.ts";
import { compile } from "./compile.ts";
import { connectionFacts } from "./connection.ts";
import { decide } from "./interpret.ts";
import { verdictOf } from "./emit.ts";
import { Verdict } from "./module.ts";
import { parseProgram } from "./policy_source.ts";
import { facts, policySource, subject } from "./testing.ts";

Deno.test("what is compiled decides as the semantics say", () => {
  const requests = fc.array(fc.tuple(subject, facts), { minLength: 20, maxLength: 20 });
  fc.assert(
    fc.property(policySource, requests, (source, samples) => {
      const program = parseProgram(source);
      const { bytes, lowered } = compile(program, "test");
      const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes));
      for (const [request, client] of samples) {
        const { action, rule, logs } = decide(program, request, client);
        const expected = verdictOf(action, rule + 1) | (logs.length > 0 ? Verdict.Log : 0);
        const verdict = verdictOn(instance, lowered.conditions, request, client);
        assert.equal(verdict, expected, `rule ${rule}, logs ${logs}`);
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("bounds of ranges are exact, for every small request and sets of all sizes", () => {
  const sets = [
    "3..7",
    "0..4, 4..9",
    "5, 7 to 8, 12..",
    "1..2, 4..6, 8..9, 11..14, 16..20",
    "0..1, 2..3, 4..5, 6..7, 8..9, 10..11, 12..13, 14..15, 16..17, 19..",
  ];
  const client = connectionFacts("fd:3", "disk");
  for (const set of sets) {
    for (const test of ["range in", "range overlaps", "offset in", "length in", "end not in"]) {
      const program = parseProgram(`default allow\nkill if ${test} ${set}\n`);
      const instance = new WebAssembly.Instance(
        new WebAssembly.Module(compile(program, "test").bytes),
      );
      for (let offset = 0n; offset < 22n; offset++) {
        for (let length = 0n; length < 8n; length++) {
          const asked = { command: 0, flags: 0, offset, length, weekday: 0, second: 0 };
          const killed = decide(program, asked, client).action.kind === "kill";
          const verdict = verdictOn(instance, [], asked, client);
          assert.equal((verdict & Verdict.ActionMask) === Verdict.Kill, killed, `${test} ${set}`);
        }
      }
    }
  }
});
