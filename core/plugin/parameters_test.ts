// SPDX-License-Identifier: MIT
// Arguments become typed values, or one sentence about what is wrong with them.

import assert from "node:assert/strict";
import { ParameterError } from "./errors.ts";
import { type ParameterDeclaration, type ParseOptions, parseParameters } from "./parameters.ts";

const SIZE: ParameterDeclaration = {
  name: "size",
  type: "size",
  description: "",
  required: true,
  positional: true,
  minimum: "512",
  maximum: "1T",
};

function declare(
  name: string,
  type: ParameterDeclaration["type"],
  more = {},
): ParameterDeclaration {
  return { name, type, description: "", ...more };
}

function refuses(
  declarations: ParameterDeclaration[],
  args: string[],
  message: RegExp,
  options?: ParseOptions,
): void {
  assert.throws(
    () => parseParameters(declarations, args, options),
    (error) => error instanceof ParameterError && message.test(error.message),
    `${args} should be refused with ${message}`,
  );
}

Deno.test("a parameter is set by key=value or by its place", () => {
  const expected = [{ name: "size", index: 0, type: "size", value: 1n << 30n }];
  assert.deepEqual(parseParameters([SIZE], ["size=1G"]), expected);
  assert.deepEqual(parseParameters([SIZE], ["1G"]), expected);
});

Deno.test("what is before = is a key only if it looks like one", () => {
  const declarations = [declare("file", "path", { positional: true }), declare("a", "string")];
  const at = (arg: string) => parseParameters(declarations, [arg], { directory: "/base" })[0];
  assert.deepEqual(at("./a=b"), { name: "file", index: 0, type: "path", value: "/base/a=b" });
  assert.deepEqual(at("a=b=c"), { name: "a", index: 1, type: "string", value: "b=c" });
  assert.deepEqual(at("="), { name: "file", index: 0, type: "path", value: "/base/=" });
});

Deno.test("an unknown parameter is an error with a suggestion", () => {
  refuses(
    [SIZE],
    ["szie=1"],
    /^cannot set "szie": there is no such parameter; did you mean "size"\?$/,
  );
  refuses([SIZE], ["colour=1"], /^cannot set "colour": .*; the parameters are size$/);
  refuses([], ["colour=1"], /^cannot set "colour": .*; it takes none$/);
  refuses([declare("a", "int")], ["1"], /^cannot use "1": parameters are given as key=value$/);
});

Deno.test("required parameters, repetition and ranges are enforced", () => {
  refuses([SIZE], [], /^cannot do without size: it is required; give it as SIZE or size=SIZE$/);
  refuses([SIZE], ["1G", "size=2G"], /^cannot set size to "2G": it is set already$/);
  refuses([SIZE], ["511"], /^cannot parse size "511": too small; the smallest is 512$/);
  refuses([SIZE], ["2T"], /^cannot parse size "2T": too large; the largest is 1T$/);
  refuses([SIZE], ["10Q"], /^cannot parse size "10Q": unknown suffix "Q"; use one of K M G T P E/);
});

Deno.test("values come in the order of the declarations, defaults filled in", () => {
  const declarations = [
    declare("a", "int", { default: "5" }),
    declare("b", "bool"),
    declare("c", "string", { repeated: true }),
  ];
  assert.deepEqual(parseParameters(declarations, ["c=x", "c=y", "b=yes"]), [
    { name: "a", index: 0, type: "int", value: 5n },
    { name: "b", index: 1, type: "bool", value: true },
    { name: "c", index: 2, type: "string", value: "x" },
    { name: "c", index: 2, type: "string", value: "y" },
  ]);
  assert.deepEqual(parseParameters(declarations, []).map(({ name }) => name), ["a"]);
});

Deno.test("every type is parsed into a value that can be sent to another thread", () => {
  const declarations = [
    declare("int", "int"),
    declare("duration", "duration"),
    declare("percentage", "percentage"),
    declare("enum", "enum", { values: ["slow", "fast"] }),
    declare("uri", "uri"),
    declare("list", "list"),
    declare("empty", "list"),
    declare("secret", "secret"),
    declare("path", "path"),
  ];
  const values = parseParameters(
    declarations,
    [
      "int=-3",
      "duration=10ms",
      "percentage=0.5%",
      "enum=fast",
      "uri=nbd+unix:///?socket=/s",
      "list=a,b,,c",
      "empty=",
      "secret=hunter2",
      "path=../x/disk",
    ],
    { directory: "/srv/images" },
  );
  assert.deepEqual(structuredClone(values), values);
  assert.deepEqual(values.map(({ value }) => value), [
    -3n,
    10_000_000n,
    5000n,
    "fast",
    "nbd+unix:///?socket=/s",
    ["a", "b", "", "c"],
    [],
    new TextEncoder().encode("hunter2"),
    "/srv/images/../x/disk",
  ]);
  assert.deepEqual(values[3], { name: "enum", index: 3, type: "enum", value: "fast", position: 1 });
});

Deno.test("values that do not fit their type are refused", () => {
  const mode = declare("mode", "enum", { values: ["slow", "fast"] });
  refuses(
    [mode],
    ["mode=fsat"],
    /^cannot parse mode "fsat": not one of slow, fast; did you mean "fast"\?$/,
  );
  refuses([declare("u", "uri")], ["u=no scheme"], /^cannot parse u "no scheme": not a URI/);
  refuses([declare("p", "path")], ["p="], /^cannot parse p "": a path may not be empty$/);
  refuses([declare("b", "bool")], ["b=maybe"], /^cannot parse b "maybe": not a yes or no/);
});

Deno.test("a secret comes from a file, a descriptor, a variable or the text itself", () => {
  const declarations = [declare("key", "secret")];
  const read = (text: string) => {
    const [value] = parseParameters(declarations, [`key=${text}`]);
    return new TextDecoder().decode(value!.value as Uint8Array);
  };
  const file = Deno.makeTempFileSync();
  try {
    Deno.writeTextFileSync(file, "from a file\n\n");
    assert.equal(read(`+${file}`), "from a file\n");
    Deno.writeTextFileSync(file, "");
    assert.equal(read(`+${file}`), "");
    Deno.writeTextFileSync(file, "x".repeat(65537));
    refuses(
      declarations,
      [`key=+${file}`],
      /^cannot parse key: the secret is longer than 65536 bytes$/,
    );
  } finally {
    Deno.removeSync(file);
  }
  assert.equal(read("literal"), "literal");
  Deno.env.set("SANDBLOCK_TEST_SECRET", "from a variable");
  assert.equal(read("env:SANDBLOCK_TEST_SECRET"), "from a variable");
  Deno.env.delete("SANDBLOCK_TEST_SECRET");
  refuses(
    declarations,
    ["key=env:SANDBLOCK_TEST_SECRET"],
    /^cannot parse key: there is no variable/,
  );
  refuses(declarations, ["key=fd:x"], /^cannot parse key: fd: needs a number after it$/);
  refuses(
    declarations,
    ["key=+/does/not/exist"],
    /^cannot parse key: cannot read "\/does\/not\/exist"/,
  );
  refuses(declarations, ["key=fd:999"], /^cannot parse key: cannot read/);
});
