// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import fc from "fast-check";
import { compile } from "./compile.ts";
import { connectionFacts } from "./connection.ts";
import { conditionText } from "./format.ts";
import { decide, holds, isWithoutRange, matches } from "./interpret.ts";
import { analyze, parseProgram } from "./policy_source.ts";
import { conditionSource, facts, subject } from "./testing.ts";
import { parseCondition } from "./parser.ts";
import { COMMANDS } from "./vocabulary.ts";

const CLIENT = connectionFacts("unix:pid=7,uid=1000,gid=100", "disk");

/** What a policy does with a request, such as `write 4096 0`. */
function outcome(
  source: string,
  request: string,
  client = CLIENT,
  time = { weekday: 0, second: 0 },
) {
  const [name, length = "0", offset = "0", flags = "0"] = request.split(" ");
  const { action, rule, logs } = decide(
    parseProgram(source),
    {
      command: COMMANDS.get(name!)!,
      offset: BigInt(offset),
      length: BigInt(length),
      flags: Number(flags),
      ...time,
    },
    client,
  );
  return [action.kind, rule, ...logs];
}

/** The findings as `line:column message`. */
function findings(source: string): string[] {
  return analyze(source).diagnostics.map(({ line, column, message }) => {
    return `${line}:${column} ${message}`;
  });
}

const withCondition = (condition: string) => `default allow\nkill if ${condition}\n`;
const killed = (condition: string, request: string, client = CLIENT) =>
  outcome(withCondition(condition), request, client)[0] === "kill";

Deno.test("the first rule that is about a request decides; log goes on", () => {
  const source = `default errno EIO
log write
allow read, write if length <= 4K
kill write
`;
  assert.deepEqual(outcome(source, "read 4096 0"), ["allow", 1]);
  assert.deepEqual(outcome(source, "write 4096 0"), ["allow", 1, 0]);
  assert.deepEqual(outcome(source, "write 4097 0"), ["kill", 2, 0]);
  assert.deepEqual(outcome(source, "trim 4096 0"), ["errno", -1]);
});

Deno.test("secure erase and ioctls are refused where no rule decides, whatever the default allows", () => {
  assert.deepEqual(outcome("default allow\n", "secure-erase 512 0"), ["errno", -1]);
  assert.deepEqual(outcome("default allow\n", "ioctl"), ["errno", -1]);
  assert.deepEqual(outcome("default kill\n", "ioctl"), ["kill", -1]);
  const source = "default allow\nerrno EIO ioctl if peer.uid == 7\nallow if peer.uid == 1000\n";
  assert.deepEqual(outcome(source, "ioctl"), ["allow", 1]);
  assert.deepEqual(outcome(source, "secure-erase 512 0"), ["allow", 1]);
  const changes = "default errno EROFS\nallow secure-erase if range in 1M..\n";
  assert.deepEqual(outcome(changes, "secure-erase 512 1048576"), ["allow", 0]);
  assert.deepEqual(outcome(changes, "secure-erase 512 1048575"), ["errno", -1]);
});

Deno.test("ranges end before their second bound with .. and with it with to", () => {
  for (
    const [condition, request, expected] of [
      ["offset in 1K..2K", "read 1 1024", true],
      ["offset in 1K..2K", "read 1 2047", true],
      ["offset in 1K..2K", "read 1 2048", false],
      ["offset in 1K to 2K", "read 1 2048", true],
      ["offset in 1K..+1K", "read 1 2047", true],
      ["offset in 1K..+1K", "read 1 2048", false],
      ["offset in ..1K", "read 1 1023", true],
      ["offset in 1K..", "read 1 1023", false],
      ["range in 0..1K, 1K..2K", "read 1024 512", true],
      ["range in 0..1K, 1025..2K", "read 1024 512", false],
      ["range overlaps 1K..2K", "read 1 1023", false],
      ["range overlaps 1K..2K", "read 2 1023", true],
      ["range overlaps 1K..2K", "read 0 1500", false],
      ["range in 1K..2K", "read 0 0", true],
      ["end > 2K", "read 1 2047", false],
      ["end > 2K", "read 2 2047", true],
      ["range not aligned 4K", "read 4096 8192", false],
      ["range not aligned 4K", "read 512 8192", true],
      ["flags has fua", "write 1 0 1", true],
      ["flags in fua", "write 1 0 3", false],
      ["flags in fua", "write 1 0 0", true],
    ] as const
  ) assert.equal(killed(condition, request), expected, `${condition}: ${request}`);
});

Deno.test("a test about what a client does not have does not hold", () => {
  const tcp = connectionFacts("tcp:[::ffff:10.1.2.3]:55", "disk");
  for (
    const [condition, expected] of [
      ["peer.uid == 0", false],
      ["peer.uid != 0", true],
      ["peer.uid < 5", false],
      ['tls.identity == "a"', false],
      ["peer.address in 10.0.0.0/8", true],
      ["peer.address in 10.1.2.4, ::/0", false],
      ["peer.transport == tcp", true],
      ['export like "d?s*"', true],
      ['export like "d?s"', false],
    ] as const
  ) assert.equal(killed(condition, "read 1 0", tcp), expected, condition);
});

Deno.test("windows of time may go past midnight, weekdays past Sunday", () => {
  const at = (condition: string, weekday: number, time: string) => {
    const [h, m] = time.split(":").map(Number) as [number, number];
    const clock = { weekday, second: h * 3600 + m * 60 };
    return outcome(withCondition(condition), "read 1 0", CLIENT, clock)[0] === "kill";
  };
  assert.ok(at("time in 22:00..06:00", 0, "23:00"));
  assert.ok(at("time in 22:00..06:00", 0, "05:59"));
  assert.ok(!at("time in 22:00..06:00", 0, "06:00"));
  assert.ok(at("weekday in sat to mon", 6, "00:00"));
  assert.ok(!at("weekday in sat to mon", 1, "00:00"));
  assert.ok(at("time < 06:00", 0, "05:00"));
});

Deno.test("names stand for sets and conditions", () => {
  const source = `default errno EPERM
let small = 0..1M
let both = $small, 1G..2G
let mine = peer.uid == 1000
let good = $mine and range in $both
allow write, read if $good
`;
  assert.deepEqual(outcome(source, `write 512 ${2 ** 30}`), ["allow", 0]);
  assert.deepEqual(outcome(source, `write 512 ${2 ** 29}`), ["errno", -1]);
});

Deno.test("lines that begin with blanks go on with the statement before", () => {
  const source = "default kill\nallow read, # why\n  write\n\n\tif length < 1K\n";
  assert.deepEqual(outcome(source, "write 512 0"), ["allow", 0]);
});

Deno.test("errors say where they are and what was probably meant", () => {
  for (
    const [statement, expected] of [
      ["allow raed", '2:7 "raed" is not a command; did you mean "read"?'],
      ["alow read", '2:1 unknown statement "alow"; did you mean "allow"?'],
      [
        "errno EPREM",
        '2:7 expected the name of an error such as EPERM, not "EPREM"; did you mean "EPERM"?',
      ],
      [
        "allow if ofset < 1",
        '2:10 expected something to test, such as offset, not "ofset"; did you mean "offset"?',
      ],
      [
        "allow if offset like 1",
        '2:17 offset cannot be tested with "like"; it knows == != < <= > >= in aligned',
      ],
      [
        "allow if offset < 1Q",
        '2:19 cannot use "1Q": unknown suffix "Q"; use one of K M G T P E (powers of 1024) or s for sectors',
      ],
      ["allow if offset < 1, 2", '2:17 "<" takes one value; a set needs "in"'],
      ["allow if offset in 2..1", "2:21 the range is empty"],
      ["allow if offset aligned 3", "2:17 an alignment is a power of two, which 3 is not"],
      [
        "allow if peer.uid == 4294967296",
        "2:22 4294967296 is too large; the largest is 4294967295",
      ],
      [
        "allow if peer.address in 10.0.0.1/8",
        '2:26 "10.0.0.1/8" has bits behind its prefix; they must be 0',
      ],
      ["allow if time in 25:00..26:00", '2:18 there is no time "25:00"'],
      ["allow if time in 10:00", '2:18 "10:00" is a moment; write a range such as 22:00..06:00'],
      ["allow if $x", '2:10 there is no "$x" above'],
      ['allow if export == "x', "2:20 a string without an end"],
      ["allow if (offset < 1", '2:21 expected ")", not the end of the statement'],
      ["allow read write", '2:12 expected the end of the statement, not "write"'],
      ["default allow", "2:1 there is a default already, in line 1"],
      ["let a = 1K, read", '2:13 "read" is not a number of bytes such as 4096, 64K or 1.5G'],
      ["let a = $a", '2:9 "$a" is not defined in a usable way'],
      ["timezone cet", '2:10 expected utc or local, not "cet"'],
      ["allow §", '2:7 unexpected character "§"'],
    ] as const
  ) {
    const [first] = findings(`default allow\n${statement}\n`).filter((text) =>
      !/not used/.test(text)
    );
    assert.equal(first, expected, statement);
  }
  assert.deepEqual(findings("  allow\nallow read\nkil\n").map((text) => text.split(" ")[0]), [
    "1:1",
    "1:3",
    "3:1",
  ]);
});

Deno.test("what is too large is refused", () => {
  const doubled = Array.from({ length: 20 }, (_, i) => `let a${i + 1} = $a${i} and $a${i}`);
  const source = ["default allow", "let a0 = offset < 1", ...doubled, "allow if $a20"].join("\n");
  assert.match(findings(source)[0]!, /more than 10000 tests/);
  const sets = Array.from({ length: 20 }, (_, i) => `let s${i + 1} = $s${i}, $s${i}`);
  const set = ["default allow", "let s0 = 1, 2", ...sets, "allow if offset in $s20"].join("\n");
  assert.match(findings(set)[0]!, /4096 elements/);
  const nested = `default allow\nallow if ${"(".repeat(40)}offset < 1${")".repeat(40)}`;
  assert.match(findings(nested)[0]!, /nested 32 deep/);
  const many = Array.from({ length: 65 }, (_, i) => `allow if peer.uid == ${i} and length < 5`);
  assert.throws(
    () => parseProgram(["default kill", ...many].join("\n")),
    /64 different conditions/,
  );
});

Deno.test("rules that decide about nothing are warned about", () => {
  const warnings = (rules: string) => findings(`default allow\n${rules}`);
  const never = "this rule is never reached: rules above decide about all that it is about";
  assert.deepEqual(warnings("allow read\nkill read if length < 1K"), [`3:1 ${never}`]);
  assert.deepEqual(warnings("kill if offset < 1G\nerrno EIO if offset < 1M and length > 1"), [
    `3:1 ${never}`,
  ]);
  assert.deepEqual(warnings("allow read\nkill read, write"), [`3:1 about read, ${never}`]);
  assert.deepEqual(warnings("kill"), []);
  assert.deepEqual(warnings("log read\nkill read"), []);
  assert.deepEqual(warnings("kill if offset < 0"), [
    "2:1 this rule never applies: its condition cannot hold",
  ]);
  assert.match(warnings("kill flush if offset < 1")[0]!, /a flush has no offset/);
  assert.deepEqual(warnings("errno EROFS write"), [
    "2:1 NBD has no EROFS, so clients are told EPERM",
  ]);
  assert.match(warnings("let a = 1K")[0]!, /"a" is defined but not used/);
});

Deno.test("a condition written out means what it meant", () => {
  fc.assert(
    fc.property(conditionSource, subject, facts, (text, request, client) => {
      const source = (condition: string) => parseProgram(`default allow\nkill if ${condition}`);
      const [rule] = source(text).rules;
      const written = conditionText(rule!.when);
      if (/\b(always|never)\b/.test(written)) return;
      parseCondition(written);
      const again = source(written).rules[0]!;
      assert.equal(holds(again.when, request, client), holds(rule!.when, request, client), written);
    }),
    { numRuns: 300 },
  );
});

Deno.test("a rule that is reported as unreachable never decides", () => {
  const policy = fc.array(conditionSource, { minLength: 2, maxLength: 4 });
  const requests = fc.array(fc.tuple(subject, facts), { minLength: 30, maxLength: 30 });
  fc.assert(
    fc.property(policy, requests, (conditions, samples) => {
      const rules = conditions.flatMap((when) => [`allow if ${when}`, `kill if ${when}`]);
      const { program, diagnostics } = analyze(["default allow", ...rules].join("\n"));
      const dead = diagnostics.filter(({ message }) => message.startsWith("this rule"))
        .map(({ line }) => line);
      for (const [request, client] of samples) {
        // A flush counts only for rules about nothing else: it has no range to be tested.
        if (isWithoutRange(request.command)) continue;
        const { rule } = decide(program!, request, client);
        assert.ok(rule < 0 || !dead.includes(program!.rules[rule]!.line));
      }
    }),
    { numRuns: 100 },
  );
});

Deno.test("random text is refused or accepted, but never breaks the parser", () => {
  const word = fc.constantFrom(
    ..."default allow errno EPERM log kill let if and or not ( ) , .. to in == $a a 4K read write"
      .split(" "),
    ...'offset range aligned 10.0.0.0/8 22:30 mon " # \n \t \0 é ::1 -1 ..+ flags has fua'.split(
      " ",
    ),
    "\n",
  );
  const text = fc.array(word, { maxLength: 40 }).map((words) => words.join(" "));
  fc.assert(
    fc.property(fc.oneof(text, fc.string({ unit: "binary" })), (source) => {
      const { program, diagnostics } = analyze(`default allow\n${source}`);
      assert.equal(program === null, diagnostics.some(({ severity }) => severity === "error"));
      if (program) compile(program, "random");
    }),
    { numRuns: 500 },
  );
});

Deno.test("patterns match as in a shell", () => {
  for (
    const [pattern, text, expected] of [
      ["*", "", true],
      ["a*b*c", "aXbYbZc", true],
      ["a*b*c", "aXbYbZ", false],
      ["?", "é", true],
      ["?", "", false],
      ["**", "x", true],
    ] as const
  ) assert.equal(matches(pattern, text), expected, `${pattern} ${text}`);
});
