// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import fc from "fast-check";
import { verdictOn } from "./check_words.ts";
import { compile } from "./compile.ts";
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
