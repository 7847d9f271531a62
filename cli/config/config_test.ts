// SPDX-License-Identifier: MIT
// What configuration files say, and how they are told what is wrong with them.

import assert from "node:assert/strict";
import fc from "fast-check";
import { type Config, readConfig } from "./config.ts";

function config(source: string): Config {
  const { config, faults } = readConfig(source, "/etc/disks");
  assert.deepEqual(faults, []);
  return config!;
}

/** `line:column: message` of each fault. */
function faults(source: string): string[] {
  return readConfig(source, "/etc/disks").faults.map(({ line, column, message }) => {
    return `${line}:${column}: ${message}`;
  });
}

const ONE = "exports: { a: { plugin: memory } }";

Deno.test("an export is a tree: filters above, several devices below", () => {
  const { exports, defaultExport } = config(`
exports:
  a:
    plugin: mirror
    filters: [cow, { plugin: rate, parameters: { rate: 10M }, timeout: 1s, memory: 1M }]
    below:
      - plugin: file
        parameters: { file: a.img }
        filters: offset
      - memory
`);
  assert.equal(defaultExport, "a");
  const [{ node }] = exports as [typeof exports[0]];
  assert.equal(node.plugin.text, "cow");
  const [rate] = node.children;
  assert.equal(rate!.plugin.text, "rate");
  assert.deepEqual([rate!.timeout!.text, rate!.memory!.text], ["1s", "1M"]);
  assert.deepEqual(rate!.parameters.map(({ name, value }) => [name, value.text]), [[
    "rate",
    "10M",
  ]]);
  const [mirror] = rate!.children;
  assert.deepEqual(mirror!.children.map(({ plugin }) => plugin.text), ["offset", "memory"]);
  assert.equal(mirror!.children[0]!.children[0]!.parameters[0]!.value.text, "a.img");
});

Deno.test("values are taken as they are written", () => {
  const { exports } = config(
    `exports: { a: { plugin: p, parameters: { a: 0x10, b: [1.50, true], c: "no", d: 010 } } }`,
  );
  const { parameters } = exports[0]!.node;
  assert.deepEqual(parameters.map(({ name, value }) => [name, value.text]), [
    ["a", "0x10"],
    ["b", "1.50"],
    ["b", "true"],
    ["c", "no"],
    ["d", "010"],
  ]);
});

Deno.test("listeners and limits become the options that mean the same", () => {
  const { values } = config(`
${ONE}
listen:
  - nbd://[::1]:99
  - unix: run/a.sock
  - unix: "@abstract"
  - tcp: "*"
  - { tcp: "2001:db8::1", port: 0 }
threads: 3
busy-poll: off
limits: { plugin-timeout: 2s, inflight-bytes: 64M, max-connections: 5 }
`);
  assert.deepEqual(values, {
    unix: ["/etc/disks/run/a.sock", "@abstract"],
    listen: ["nbd://[::1]:99", "nbd://:10809", "nbd://[2001:db8::1]:0"],
    threads: "3",
    busyPoll: "off",
    pluginTimeout: "2s",
    inflightBytes: "64M",
    maxConnections: "5",
  });
});

Deno.test("the default export says so, has no name, or is the only one", () => {
  const byDefault = (exports: string) => config(`exports: { ${exports} }`).defaultExport;
  const [a, b] = ["a: { plugin: p }", "b: { plugin: p }"];
  assert.equal(byDefault(`${a}`), "a");
  assert.equal(byDefault(`${a}, ${b}`), null);
  assert.equal(byDefault(`${a}, "": { plugin: p }`), "");
  assert.equal(byDefault(`${a}, b: { plugin: p, default: true }, "": { plugin: p }`), "b");
  assert.deepEqual(
    faults(`exports:\n  a: { plugin: p, default: true }\n  b: { plugin: p, default: true }`),
    ['3:28: "b" cannot be the default: "a" is'],
  );
});

Deno.test("anchors save repeating things", () => {
  const { exports } = config(
    `exports: { a: &disk { plugin: p, memory: 1M }, b: *disk, c: { plugin: q, below: [*disk] } }`,
  );
  assert.equal(exports[1]!.node.memory!.text, "1M");
  assert.equal(exports[2]!.node.children[0]!.plugin.text, "p");
});

for (
  const [source, ...expected] of [
    ["", "1:1: the file is empty"],
    ["# nothing", "1:1: the file is empty"],
    ["[]", "1:1: this must be a mapping with keys: listen, exports, threads, busy-poll, limits"],
    [
      "a: [",
      "1:5: Flow sequence in block collection must be sufficiently indented and end with a ]",
    ],
    ["threads: 2", '1:1: "exports" is missing'],
    [`${ONE}\n---\n${ONE}`, "2:1: there is a second document; one is enough"],
    [`${ONE}\nthreds: 2`, '2:1: unknown key "threds"; did you mean "threads"?'],
    [`${ONE}\n${ONE}`, "2:1: Map keys must be unique"],
    [`${ONE}\nthreads: 0`, '2:10: cannot use number "0": it is from 1 to 256'],
    [`${ONE}\nthreads: many`, '2:10: cannot use number "many": not an integer'],
    [`${ONE}\nthreads: [1]`, "2:10: this must be a number"],
    [`${ONE}\nthreads:`, '2:1: "threads" has no value'],
    [`${ONE}\nbusy-poll: often`, '2:12: cannot use number "often": not an integer'],
    [
      `${ONE}\nlimits: { plugin-timeout: 5x }`,
      '2:27: cannot use time "5x": unknown unit "x"; use one of ns us ms s m h d',
    ],
    ["exports: {}", "1:10: there is no export"],
    ["exports: [a]", "1:10: this must be a mapping with keys: names of exports"],
    ["exports: { a: }", '1:12: "a" has no value'],
    ["exports: { a: { } }", '1:15: "plugin" is missing'],
    [
      "exports: { a: { plugin: p, read-only: yes } }",
      '1:39: "yes" is neither true nor false',
    ],
    [
      "exports: { a: { plugin: p, restart: bakoff } }",
      '1:37: "bakoff" is none of fail, restart, backoff; did you mean "backoff"?',
    ],
    ["exports: { a: { plugin: p, below: [] } }", "1:35: the list is empty"],
    [
      "exports: { a: { plugin: p, filters: { plugin: q, below: r } } }",
      '1:50: unknown key "below"; the keys are plugin, parameters, memory, timeout, restart, allow',
    ],
    ["exports: { a: { plugin: p, parameters: { x: { y: 1 } } } }", "1:45: this must be a string"],
    ["exports: { ? [a] : { plugin: p } }", "1:14: a key must be a string"],
    [
      "exports: { a: *nix }",
      "1:15: the anchor does not exist",
    ],
    [`${ONE}\nlisten: { unix: a, tcp: b }`, '2:9: a listener has either "unix" or "tcp"'],
    [`${ONE}\nlisten: { unix: a, port: 1 }`, '2:9: "port" belongs to "tcp"'],
    [
      `${ONE}\nlisten: ["nbds://h"]`,
      '2:10: cannot use listener "nbds://h": TLS is not supported; write nbd:// or nbd+unix://',
    ],
    [`${ONE}\nlisten: [x]`, '2:10: cannot use listener "x": it does not begin with one of nbd:, '],
    [
      `exports: { ${"a".repeat(4097)}: { plugin: p } }`,
      "1:12: the name has 4097 bytes; it may have 4096",
    ],
  ] as const
) {
  Deno.test(`a fault is told with line and column: ${source.slice(0, 60)}`, () => {
    const found = faults(source);
    assert.equal(found.length, expected.length, found.join("\n"));
    found.forEach((fault, index) => assert.ok(fault.startsWith(expected[index]!), fault));
  });
}

Deno.test("all faults are told, in the order of the file", () => {
  assert.deepEqual(faults("lisen: 1\nexports:\n  a: { plugn: x }\nthreads: no"), [
    '1:1: unknown key "lisen"; did you mean "listen"?',
    '3:8: unknown key "plugn"; did you mean "plugin"?',
    '4:10: cannot use number "no": not an integer',
  ]);
});

Deno.test("a file that grows when it is read ends in a fault, and soon", () => {
  const lines = ["exports:", "  a: { plugin: p }", "x0: &x0 [a, a, a, a, a, a, a, a, a, a]"];
  for (let i = 1; i < 9; i++) {
    lines.push(`x${i}: &x${i} [${Array(10).fill(`*x${i - 1}`).join(", ")}]`);
  }
  assert.match(faults(lines.join("\n"))[0]!, /unknown key "x0"/);
  const bomb = lines.slice(2).join("\n") + "\nexports: { a: { plugin: p, allow: *x8 } }";
  assert.ok(faults(bomb).length > 0);
  const tree = ["l0: &l0 { plugin: p }"];
  for (let i = 1; i < 30; i++) {
    tree.push(`l${i}: &l${i} { plugin: m, below: [*l${i - 1}, *l${i - 1}] }`);
  }
  const found = faults([...tree, "exports: { a: *l29 }"].join("\n"));
  assert.ok(found.some((fault) => fault.endsWith("the file has too many values")), found.at(-1));
});

Deno.test("whatever stands in a file, it is read or its faults are told", () => {
  const words = fc.constantFrom(
    "exports",
    "listen",
    "plugin",
    "below",
    "filters",
    "a",
    "true",
    "1M",
    "null",
    "~",
    "&x",
    "*x",
    "|",
    "-",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\n",
    "\n  ",
    '"',
    "'",
    "#",
    "!!int",
    "? ",
    "<<",
    "%",
  );
  fc.assert(
    fc.property(fc.array(words, { maxLength: 40 }), (parts) => {
      const { config, faults } = readConfig(parts.join(" "), "/");
      assert.equal(config === null, faults.length > 0);
    }),
    { numRuns: 500 },
  );
});
