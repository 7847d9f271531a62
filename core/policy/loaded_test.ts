// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import fc from "fast-check";
import { verdictOn } from "./check_words.ts";
import { PolicyError } from "./diagnostic.ts";
import { explain, showCompiled } from "./explain.ts";
import { compile } from "./compile.ts";
import { listInstructions } from "./listing.ts";
import { loadPolicy } from "./loaded.ts";
import { facts, policySource, subject } from "./testing.ts";

const load = (source: string) => loadPolicy(new TextEncoder().encode(source), "test");

Deno.test("the module of a policy is a policy that decides the same", () => {
  fc.assert(
    fc.property(
      policySource,
      fc.array(fc.tuple(subject, facts), { minLength: 10, maxLength: 10 }),
      (source, samples) => {
        const rules = load(source).policy;
        const { policy: module } = loadPolicy(rules.bytes, "module");
        assert.equal(module.program, null);
        assert.equal(module.timezone, rules.timezone);
        const [one, other] = [rules, module].map(({ module }) => new WebAssembly.Instance(module));
        for (const [request, client] of samples) {
          assert.equal(
            verdictOn(other!, module.conditions, request, client),
            verdictOn(one!, rules.conditions, request, client),
          );
        }
      },
    ),
    { numRuns: 100 },
  );
});

Deno.test("what is neither rules nor a module is refused", () => {
  assert.throws(
    () => loadPolicy(new Uint8Array([0xff, 0xfe, 0x00]), "x"),
    (error) => error instanceof PolicyError && /neither text in UTF-8 nor/.test(error.message),
  );
  assert.throws(() => loadPolicy(new Uint8Array(0), "x"), /there is no default/);
  assert.throws(() => loadPolicy(new Uint8Array([0, 0x61, 0x73, 0x6d]), "x"), /not a WebAssembly/);
});

const SOURCE = `default errno EPERM
let mine = peer.uid == 1000
log write if length > 1M
allow read, flush
allow write if $mine and range in 1G..2G or time in 22:00..06:00
`;

Deno.test("a policy is explained command by command, with its lines", () => {
  const { program } = load(SOURCE).policy;
  assert.deepEqual(explain(program!, compile(program!, "test")), [
    "",
    "read, flush:",
    "  allow  (line 4)",
    "",
    "write:",
    "  log if length > 1M  (line 3)",
    "  allow if (peer.uid in 1000 and range in 1G..2G) or time in 22:00..24:00, 00:00..06:00  (line 5)",
    "  otherwise errno EPERM  (line 1)",
    "",
    "trim, cache, write-zeroes, block-status, secure-erase, ioctl:",
    "  otherwise errno EPERM  (line 1)",
  ]);
});

Deno.test("the compiled form shows what is decided when, and every instruction", () => {
  const { policy } = load(SOURCE);
  const lines = showCompiled(policy, compile(policy.program!, "test"));
  assert.match(lines[0]!, /^module of \d+ bytes, at most \d+ instructions for a request$/);
  assert.equal(lines[1], "looks at the clock (local)");
  assert.ok(lines.includes("  client[0] = peer.uid in 1000"));
  assert.ok(lines.includes("  0x00001 errno EPERM"));
  const listing = listInstructions(policy.bytes);
  assert.equal(listing.filter((line) => line.startsWith("function ")).length, 2);
  assert.ok(listing.some((line) => /^ +i64.const 1073741824$/.test(line)));
});
