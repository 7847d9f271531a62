// SPDX-License-Identifier: MIT
// Random policies as text, random requests and clients, for tests that compare two ways to decide.
// Values come from a few, so that they meet.

import fc from "fast-check";
import { type ConnectionFacts, connectionFacts } from "./connection.ts";
import { isWithoutRange, type Subject } from "./interpret.ts";
import { COMMANDS, FLAGS, WEEKDAYS } from "./vocabulary.ts";

const SIZES = ["0", "1", "511", "512", "4096", "4K", "64K", "1M", "1G", "1E", "0x7fffffffffffffff"];
const TIMES = ["00:00", "02:30", "06:00:01", "12:00", "22:00", "23:59:59"];
const pick = <T>(values: Iterable<T>) => fc.constantFrom(...values);
const list = (item: fc.Arbitrary<string>, maxLength = 3) =>
  fc.array(item, { minLength: 1, maxLength }).map((items) => items.join(", "));

function ranges(sizes: readonly string[]): fc.Arbitrary<string> {
  const index = fc.nat(sizes.length - 1);
  return fc.tuple(index, index, fc.constantFrom("..", " to ", "value", "open")).map(
    ([a, b, how]) => {
      const [low, high] = a < b ? [a, b] : [b, a];
      if (how === "open") return `${sizes[low]}..`;
      return how === "value" || low === high ? sizes[low]! : `${sizes[low]}${how}${sizes[high]}`;
    },
  );
}

// "4096" and "4K" are one value, so they make no range with each other.
const ASCENDING = SIZES.filter((size) => size !== "4096");
const many = fc.array(fc.nat(4095), { minLength: 4, maxLength: 40 })
  .map((blocks) => blocks.map((block) => `${block * 512}..+${512 * (1 + block % 3)}`).join(", "));
const byteSet = fc.oneof({ weight: 4, arbitrary: list(ranges(ASCENDING)) }, many);
const idSet = list(ranges(["0", "1", "500", "1000", "4294967295"]));
const not = fc.constantFrom("", "", "not ");

const timeRange = fc.tuple(pick(TIMES), pick(TIMES)).filter(([a, b]) => a !== b)
  .map(([a, b]) => `${a}..${b}`);

/** A test of something. */
const test: fc.Arbitrary<string> = fc.oneof(
  fc.tuple(not, list(pick(COMMANDS.keys()))).map(([no, set]) => `command ${no}in ${set}`),
  fc.tuple(not, fc.constantFrom("has", "in"), list(pick(FLAGS.keys())))
    .map(([no, how, set]) => `flags ${no}${how} ${set}`),
  fc.tuple(pick(["offset", "length", "end"]), pick(["<", "<=", ">", ">=", "==", "!="]), pick(SIZES))
    .map((words) => words.join(" ")),
  fc.tuple(pick(["offset", "length", "end"]), not, byteSet)
    .map(([field, no, set]) => `${field} ${no}in ${set}`),
  fc.tuple(not, fc.constantFrom("in", "overlaps"), byteSet)
    .map(([no, how, set]) => `range ${no}${how} ${set}`),
  fc.tuple(pick(["offset", "length", "end", "range"]), not, pick(["1", "512", "4K", "1M", "1E"]))
    .map(([field, no, size]) => `${field} ${no}aligned ${size}`),
  fc.tuple(not, list(timeRange)).map(([no, set]) => `time ${no}in ${set}`),
  fc.tuple(pick(["<", ">="]), pick(TIMES)).map(([how, time]) => `time ${how} ${time}`),
  fc.tuple(pick(WEEKDAYS.keys()), pick(WEEKDAYS.keys())).map(([a, b]) => `weekday in ${a} to ${b}`),
  fc.tuple(not, fc.constantFrom("in", "like"), list(pick(['"disk"', '"disk*"', '"?"', '""'])))
    .map(([no, how, set]) => `export ${no}${how} ${set}`),
  fc.tuple(pick(["peer.uid", "peer.gid", "peer.pid"]), not, idSet)
    .map(([field, no, set]) => `${field} ${no}in ${set}`),
  fc.tuple(pick(["peer.uid", "peer.gid"]), pick(["<", "<=", ">", ">=", "!="]), pick(["0", "500"]))
    .map((words) => words.join(" ")),
  fc.tuple(not, list(pick(["10.0.0.0/8", "10.0.0.1", "2001:db8::/32", "::1", "0.0.0.0/0"])))
    .map(([no, set]) => `peer.address ${no}in ${set}`),
  pick(["tcp", "unix", "other"]).map((name) => `peer.transport == ${name}`),
  pick(["==", "!="]).map((how) => `tls.identity ${how} "someone"`),
);

const { expression } = fc.letrec<{ expression: string }>((tie) => ({
  expression: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    { weight: 3, arbitrary: test },
    fc.tuple(tie("expression"), tie("expression")).map(([a, b]) => `(${a}) and (${b})`),
    fc.tuple(tie("expression"), tie("expression")).map(([a, b]) => `${a} or ${b}`),
    fc.tuple(test, test).map(([a, b]) => `${a} and ${b}`),
    tie("expression").map((inner) => `not (${inner})`),
  ),
}));

const decision = fc.constantFrom("allow", "errno EPERM", "errno EROFS", "kill");
const rule = fc.tuple(
  fc.oneof(decision, fc.constant("log")),
  fc.oneof(fc.constant(""), list(pick(COMMANDS.keys())).map((set) => ` ${set}`)),
  fc.option(expression),
).map(([action, commands, when]) => `${action}${commands}${when === null ? "" : ` if ${when}`}`);

/** The text of a policy without errors. */
export const policySource: fc.Arbitrary<string> = fc.tuple(
  decision,
  fc.array(rule, { maxLength: 12 }),
).map(([otherwise, rules]) => [`default ${otherwise}`, ...rules].join("\n") + "\n");

/** The text of one condition. */
export const conditionSource = expression;

const bytes = fc.oneof(
  fc.tuple(pick([0n, 512n, 4096n, 65536n, 1n << 20n, 1n << 30n, 1n << 60n]), fc.bigInt(-1n, 1n))
    .map(([value, shift]) => value + shift < 0n ? 0n : value + shift),
  fc.nat(4200).map((block) => BigInt(block) * 512n),
  fc.bigInt(0n, 2n ** 62n - 1n),
);

/** A request as policies see it. */
export const subject: fc.Arbitrary<Subject> = fc.record({
  command: pick(COMMANDS.values()),
  flags: fc.nat(0x1f),
  offset: bytes,
  length: bytes,
  /** Whether `length` is where it ends rather than how long it is. */
  toEnd: fc.boolean(),
  weekday: fc.nat(6),
  second: fc.oneof(fc.nat(86399), pick([0, 9000, 21600, 21601, 43200, 79200, 86399])),
}).map(({ toEnd, ...made }) => {
  if (isWithoutRange(made.command)) return { ...made, offset: 0n, length: 0n };
  const { offset, length: end } = made;
  return toEnd && end > offset ? { ...made, length: end - offset } : made;
});

/** A client. */
export const facts: fc.Arbitrary<ConnectionFacts> = fc.tuple(
  fc.constantFrom(
    "tcp:10.0.0.1:4000",
    "tcp:192.0.2.1:1",
    "tcp:[::1]:4000",
    "tcp:[2001:db8::5]:9",
    "tcp:[::ffff:10.1.2.3]:9",
    "unix:pid=500,uid=0,gid=1000",
    "unix:pid=1,uid=1000,gid=1",
    "fd:3",
  ),
  fc.constantFrom("disk", "disk2", "x", ""),
  fc.constantFrom(null, "someone", "other"),
).map(([peer, exportName, identity]) => connectionFacts(peer, exportName, identity));
