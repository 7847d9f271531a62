// SPDX-License-Identifier: MIT
// The data plugin's language: what descriptions mean, against nbdkit's answers and against a model.

import assert from "node:assert/strict";
import fc from "fast-check";
import { TestHost } from "../test_host.ts";

async function contents(data: string): Promise<string> {
  const host = await TestHost.start("data", { data });
  return host.size === 0n ? "" : host.read(0n, Number(host.size)).toHex();
}

/** Descriptions and what nbdkit 1.32 makes of them. */
const NBDKIT: [text: string, hex: string][] = [
  ["0 1 2 3 @0x1fe 0x55 0xaa", "00010203" + "00".repeat(506) + "55aa"],
  ["1 @10", "01000000000000000000"],
  ["( 1 @4 )*2 7", "010000000100000007"],
  ["1 2 3 4 @0 9", "09020304"],
  ["1 2 3 4 @0 ( @+2 9 )", "00000904"],
  ["( 1 2 3 )[1:]*3", "020302030203"],
  ["@^8 1 @^8", "0100000000000000"],
  ["@5 1 @-3 2", "000000020001"],
  ["0xff*0 1", "01"],
  ["010", "08"],
  ["( @+2 1 )*2", "000001000001"],
  ["1*2*3", "010101010101"],
  ['"ab" *2', "61626162"],
  ["()*4 1", "01"],
  ["(1 2)[:0] 5", "05"],
  ["@3 @1 5", "000500"],
  ["1 -> \\x \\x \\x", "0101"],
  ["1 5 -> \\x 3 \\x", "010305"],
  ['"é"', "c3a9"],
  ["1 2*2[1:]", "0102"],
  ["(1 (2 3)*2)*2", "01020302030102030203"],
  ["1 2 3 # hi", "010203"],
  ["(@^4 1)*2 @+3", "0101000000"],
  ["le16:0x1234 be16:0x1234 le32:1 be32:1", "341212340100000000000001"],
  ["le64:0x123456789abcdef0 be64:18446744073709551615", "f0debc9a78563412ffffffffffffffff"],
  ["( 0x55 0xAA ) -> \\sig ( @6 \\sig ) -> \\s \\s \\s", "00000000000055aa".repeat(2)],
  ['"\\n\\t\\"\\\\"', "0a09225c"],
  ["1 2 3 4 5 @1 9 8", "0109080405"],
  ["(1 2 3 4)[1:3] (5 6 7)[:2]", "02030506"],
  ["", ""],
];

for (const [text, hex] of NBDKIT) {
  Deno.test(`${JSON.stringify(text)} means what it means to nbdkit`, async () => {
    assert.equal(await contents(text), hex);
  });
}

/** What goes beyond nbdkit's language. */
const OURS: [text: string, hex: string][] = [
  ['"\\x41\\101\\0\\a\\e"', "414100071b"],
  ["1 @^3 2 @^3", "010000020000"],
  ["1*1K [1020:]", "01010101"],
  ["(1 2 3 -> \\a \\a)[0:3]", "010203"],
  ["1 -> \\x (2 -> \\x \\x) \\x", "0201"],
  ["1->\\a-b \\a-b 2", "0102"],
];

for (const [text, hex] of OURS) {
  Deno.test(`${JSON.stringify(text)} is understood`, async () => {
    assert.equal(await contents(text), hex);
  });
}

/** Descriptions that are wrong, and the end of what is said about them. */
const WRONG: [text: string, message: string][] = [
  [
    "1 256",
    'byte 2: a byte is 0 to 255; for more, use le16: or be16: and so on; the text goes on with "256"',
  ],
  [
    "1,2",
    'byte 1: there should be a byte, a string, a word, a group, a name or an offset; the text goes on with ",2"',
  ],
  [
    "08",
    'byte 1: this is no octal digit; numbers with a leading 0 are octal; the text goes on with "8"',
  ],
  ["0x", "byte 2: the text ends where there should be a number"],
  ["le16:65536", 'byte 5: the number does not fit into the word; the text goes on with "65536"'],
  [
    "be64:18446744073709551616",
    'byte 5: the number is above 2^64-1; the text goes on with "1844674407370955"',
  ],
  ["1 @16E", 'byte 3: the number is above 2^64-1; the text goes on with "16E"'],
  ["1 @8E", 'byte 3: the offset is above 2^63-1; the text goes on with "8E"'],
  ["1 @-2", 'byte 3: the offset is below 0; the text goes on with "-2"'],
  ["1 @^0", 'byte 3: nothing can be aligned to 0; the text goes on with "^0"'],
  [
    "(1 2)[1:9]",
    'byte 5: the slice ends behind the expression, which is 2 bytes long; the text goes on with "[1:9]"',
  ],
  ["(1 2 3)[2:1]", 'byte 7: the slice ends before it begins; the text goes on with "[2:1]"'],
  ["(1 2)[1", "byte 7: the text ends where there should be a colon"],
  ["(1 (2)", 'byte 0: this parenthesis is not closed; the text goes on with "(1 (2)"'],
  ["1)", 'byte 1: there is no parenthesis to close; the text goes on with ")"'],
  ['1 "abc', 'byte 2: this string is not closed; the text goes on with ""abc"'],
  [
    '"\\q"',
    'byte 1: unknown escape; there are \\n \\t \\xHH \\OOO as in C; the text goes on with "\\q""',
  ],
  ['"\\400"', 'byte 1: a byte is at most \\377; the text goes on with "\\400""'],
  ["*3", 'byte 0: there is nothing to repeat in front of this; the text goes on with "*3"'],
  ["1 @5 *3", 'byte 5: there is nothing to repeat in front of this; the text goes on with "*3"'],
  ["1*x", 'byte 2: there should be a number; the text goes on with "x"'],
  ["(1)*8E", 'byte 3: the result is larger than 2^63-1; the text goes on with "*8E"'],
  ["1*7E 1*7E", 'byte 5: the disk would be larger than 2^63-1; the text goes on with "1*7E"'],
  ["(1 -> \\x) \\x", 'byte 10: nothing is called \\x here; the text goes on with "\\x"'],
  ["1 -> x", 'byte 5: there should be a backslash and a name; the text goes on with "x"'],
  [
    "<file",
    'byte 0: a plugin cannot read files or run scripts; use hex=; the text goes on with "<file"',
  ],
  ["$var", 'byte 0: a plugin knows no variables; use \\names; the text goes on with "$var"'],
  [
    "1 €",
    'byte 2: there should be a byte, a string, a word, a group, a name or an offset; the text goes on with "€"',
  ],
  ["(".repeat(65), 'byte 64: parentheses are nested more than 64 deep; the text goes on with "("'],
];

for (const [text, message] of WRONG) {
  Deno.test(`${JSON.stringify(text.slice(0, 30))} is refused with the place`, async () => {
    const start = TestHost.start("data", { data: text });
    await assert.rejects(start, { errno: 22, message: `cannot parse the data at ${message}` });
  });
}

/** A description and the bytes that it means. */
interface Described {
  text: string;
  bytes: number[];
}

/** Lays parts one after another as a scope does. */
function scope(parts: (Described | { move: string; to: (offset: number) => number })[]): Described {
  const bytes: number[] = [];
  let offset = 0;
  for (const part of parts) {
    if ("to" in part) offset = part.to(offset);
    while (bytes.length < offset) bytes.push(0);
    if ("to" in part) continue;
    part.bytes.forEach((byte, index) => bytes[offset + index] = byte);
    offset += part.bytes.length;
  }
  return { text: parts.map((part) => "to" in part ? part.move : part.text).join(" "), bytes };
}

const simple: fc.Arbitrary<Described> = fc.oneof(
  fc.nat(255).map((byte) => ({ text: `${byte}`, bytes: [byte] })),
  fc.nat(255).map((byte) => ({ text: `0x${byte.toString(16)}`, bytes: [byte] })),
  fc.nat(65535).map((word) => ({ text: `be16:${word}`, bytes: [word >> 8, word & 255] })),
  fc.array(fc.integer({ min: 0x23, max: 0x5b }), { maxLength: 6 })
    .map((bytes) => ({ text: `"${String.fromCharCode(...bytes)}"`, bytes })),
);

const move = fc.oneof(
  fc.nat(40).map((to) => ({ move: `@${to}`, to: () => to })),
  fc.nat(40).map((by) => ({ move: `@+${by}`, to: (offset: number) => offset + by })),
  fc.integer({ min: 1, max: 9 }).map((to) => ({
    move: `@^${to}`,
    to: (offset: number) => Math.ceil(offset / to) * to,
  })),
);

const description = fc.letrec<{ scope: Described; expression: Described }>((tie) => ({
  scope: fc.array(fc.oneof({ weight: 3, arbitrary: tie("expression") }, move), { maxLength: 5 })
    .map((parts) => scope(parts as Described[])),
  expression: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    simple,
    tie("scope").map(({ text, bytes }) => ({ text: `( ${text} )`, bytes })),
    fc.tuple(tie("expression"), fc.nat(5)).map(([{ text, bytes }, count]) => ({
      text: `${text}*${count}`,
      bytes: Array.from({ length: count }, () => bytes).flat(),
    })),
    fc.tuple(tie("expression"), fc.nat(99), fc.nat(99)).map(([{ text, bytes }, one, other]) => {
      const [from, to] = [one, other].map((place) => place % (bytes.length + 1)).sort((a, b) =>
        a - b
      );
      return { text: `${text}[${from}:${to}]`, bytes: bytes.slice(from, to) };
    }),
  ),
})).scope;

Deno.test("any description means the bytes that its parts mean", async () => {
  await fc.assert(
    fc.asyncProperty(
      description.filter(({ bytes }) => bytes.length < 5000),
      async ({ text, bytes }) => {
        assert.equal(await contents(text), Uint8Array.from(bytes).toHex(), text);
      },
    ),
    { numRuns: 250 },
  );
});
