// SPDX-License-Identifier: MIT
// Filters that decide about clients rather than requests: ip, limit, exportname.

import assert from "node:assert/strict";
import { fill, node, open, start, useNodes } from "./test_graph.ts";

await useNodes("ip", "limit", "exportname", "memory", "delay", "offset");

/** Whether a client from `peer` is let in. */
function admits(parameters: string, peer: string): boolean {
  const device = start(node(`ip ${parameters}`.trim(), node("memory 1M")));
  try {
    device.connect(peer);
    return true;
  } catch (error) {
    assert.match((error as Error).message, /the filter ip does not let in /);
    assert.equal((error as { errno: number }).errno, 13);
    return false;
  } finally {
    device.close();
  }
}

Deno.test("ip: without rules everybody comes in", () => {
  for (const peer of ["tcp:192.0.2.1:1", "tcp:[::1]:1", "unix:pid=1,uid=2,gid=3", "fd:0", ""]) {
    assert(admits("", peer), peer);
    assert(!admits("deny=all", peer), peer);
    assert(!admits("deny=any", peer), peer);
    assert(admits("allow=any deny=all", peer), peer);
  }
});

for (
  const [rule, inside, outside] of [
    ["anyipv4", ["192.0.2.1:1", "[::ffff:c000:201]:1"], ["[2001:db8::1]:1", "[::1]:2"]],
    ["allipv6", ["[2001:db8::1]:1", "[::]:1"], ["192.0.2.1:1", "[::ffff:c000:201]:1"]],
    ["192.0.2.1", ["192.0.2.1:9"], ["192.0.2.2:9", "[2001:db8::1]:9"]],
    ["192.0.2.1/32", ["192.0.2.1:9"], ["192.0.2.0:9"]],
    ["192.0.2.0/24", ["192.0.2.0:9", "192.0.2.255:9"], ["192.0.3.0:9", "192.0.1.255:9"]],
    ["10.0.0.0/8", ["10.255.1.2:9"], ["11.0.0.0:9"]],
    ["0.0.0.0/0", ["10.255.1.2:9"], ["[::1]:9"]],
    ["::1", ["[::1]:9"], ["[::2]:9", "127.0.0.1:9"]],
    ["2001:db8::/32", ["[2001:db8:ffff::1]:9"], ["[2001:db9::]:9"]],
    ["2001:db8:0:1::/64", ["[2001:db8:0:1:ffff::]:9"], ["[2001:db8:0:2::]:9"]],
    ["2001:db8::1:2/127", ["[2001:db8::1:3]:9"], ["[2001:db8::1:4]:9"]],
    ["::/0", ["[2001:db8::1:3]:9"], ["1.2.3.4:9"]],
    ["1:2:3:4:5:6:7:8", ["[1:2:3:4:5:6:7:8]:9"], ["[1:2:3:4:5:6:7:9]:9"]],
  ] as const
) {
  Deno.test(`ip: ${rule}`, () => {
    for (const peer of inside) assert(!admits(`deny=${rule}`, `tcp:${peer}`), peer);
    for (const peer of outside) assert(admits(`deny=${rule}`, `tcp:${peer}`), peer);
    for (const peer of inside) assert(admits(`allow=${rule} deny=all`, `tcp:${peer}`), peer);
    for (const peer of outside) assert(!admits(`allow=${rule} deny=all`, `tcp:${peer}`), peer);
    assert(admits(`deny=${rule}`, "unix:pid=1,uid=2,gid=3"));
  });
}

Deno.test("ip: processes, users and groups of unix sockets", () => {
  const peer = "unix:pid=12,uid=1000,gid=100";
  for (const rule of ["anyunix", "pid:12", "uid:1000", "gid:100", "uid:1,gid:100"]) {
    assert(!admits(`deny=${rule}`, peer), rule);
    assert(admits(`deny=${rule}`, "tcp:10.0.0.12:1000"), rule);
  }
  for (const rule of ["pid:1", "uid:100", "gid:1000", "anyipv4,anyipv6"]) {
    assert(admits(`deny=${rule}`, peer), rule);
  }
});

Deno.test("ip: what is no rule is refused with a sentence", () => {
  const wrong = [
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "1.2.3.4/33",
    "1.2.3.4/",
    ":",
    ":::",
    "1::2::3",
    "12345::",
  ];
  wrong.push(
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "::/129",
    "uid:",
    "uid:x",
    "anyone",
    "everybody",
    ",",
  );
  for (const rule of wrong) {
    assert.throws(
      () => start(node(`ip deny=${rule}`, node("memory 1M"))),
      /cannot parse ".*": it is no address such as 192.0.2.0\/24/,
      rule,
    );
  }
});

Deno.test("limit: so many clients, and others when one has gone", () => {
  const device = start(node("limit limit=2", node("memory 1M")));
  const [first, second] = [open(device), open(device)];
  assert.throws(() => open(device), /there are 2 clients, and no more are let in/);
  first.opened.close();
  const third = open(device);
  assert.throws(() => open(device), { errno: 13 });
  // Filters above open exports for themselves.
  const background = open(device, "", "plugin:cache");
  for (const one of [second, third, background]) one.opened.close();
  for (let i = 0; i < 10; i++) open(device).opened.close();
  device.close();
});

Deno.test("limit: one without a number, any number with 0", () => {
  const one = start(node("limit", node("memory 1M")));
  const only = open(one);
  assert.throws(() => open(one), { errno: 13 });
  only.close();
  const any = start(node("limit limit=0", node("memory 1M")));
  const many = Array.from({ length: 100 }, () => open(any));
  for (const client of many) client.opened.close();
  any.close();
});

function withDirectory(use: (directory: string) => void): void {
  const directory = Deno.makeTempDirSync();
  try {
    for (const name of ["one", "two", "three"]) {
      Deno.writeFileSync(`${directory}/${name}`, fill(1000, name.length));
    }
    use(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

/** Names and descriptions of what is listed. */
function listed(directory: string, parameters: string[]): string[] {
  const graph = node("exportname", node(`file dir=${directory}`));
  const device = start(withParameters(graph, parameters));
  try {
    return device.list().map(({ name, description }) => `${name}: ${description}`).sort();
  } finally {
    device.close();
  }
}

/** With parameters that have spaces. */
function withParameters(
  graph: ReturnType<typeof node>,
  parameters: string[],
): ReturnType<typeof node> {
  return graph.kind === "plugin"
    ? {
      ...node(["exportname", ...parameters.map((one) => one.replaceAll(" ", "_"))].join(" ")),
      children: graph.children,
    } as typeof graph
    : graph;
}

Deno.test("exportname: which exports are listed", () => {
  withDirectory((directory) => {
    const all = ["one: ", "three: ", "two: "];
    assert.deepEqual(listed(directory, []), all);
    assert.deepEqual(listed(directory, ["exportname-list=keep", "exportname=x"]), all);
    assert.deepEqual(listed(directory, ["exportname-list=empty"]), []);
    assert.deepEqual(listed(directory, ["exportname-list=defaultonly"]), []);
    assert.deepEqual(
      listed(directory, ["exportname-list=defaultonly", "default-export=two"]),
      ["two: "],
    );
    assert.deepEqual(
      listed(directory, ["exportname-list=explicit", "exportname=two", "exportname=x"]),
      ["two: ", "x: "],
    );
    assert.throws(
      () => listed(directory, ["exportname-list=error"]),
      /clients may not list the exports/,
    );
  });
});

Deno.test("exportname: descriptions are kept, taken away, or replaced", () => {
  const described = (parameters: string) => {
    const device = start(node(`exportname ${parameters}`.trim(), node("memory 1M")));
    const opened = device.open("", { readOnly: false, peer: "" });
    const [entry] = device.list();
    assert.equal(entry!.description, opened.info.description);
    opened.close();
    device.close();
    return entry!.description;
  };
  assert.match(described(""), /RAM disk/);
  assert.match(described("exportdesc=keep"), /RAM disk/);
  assert.equal(described("exportdesc=none"), "");
  assert.equal(described("exportdesc=fixed:Disk"), "Disk");
  assert.equal(described("exportdesc=fixed:"), "");
  assert.throws(
    () => described(`exportname=${"x".repeat(4097)}`),
    /cannot use names or descriptions of more than 4096 bytes/,
  );
  assert.throws(
    () => described("exportdesc=script:x"),
    /cannot use exportdesc=script:x: it is keep, none, or fixed:TEXT/,
  );
});

Deno.test("exportname: what the default is, and what may be opened", () => {
  withDirectory((directory) => {
    const device = (parameters: string) =>
      start(node(`exportname ${parameters}`.trim(), node(`file dir=${directory}`)));
    const plain = device("");
    assert.equal(plain.defaultExport(), null);
    plain.close();
    const one = device("default-export=two exportname-strict=true exportname=two exportname=three");
    assert.equal(one.defaultExport(), "two");
    assert.deepEqual(open(one, "two").read(0, 10), fill(10, 3));
    assert.deepEqual(open(one, "three").read(0, 10), fill(10, 5));
    assert.throws(() => open(one, "one"), /there is no export "one"/);
    assert.throws(() => open(one, ""), { errno: 2 });
  });
});
