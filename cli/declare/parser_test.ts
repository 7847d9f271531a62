// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { root } from "../commands/root.ts";
import { UsageError } from "../errors.ts";
import { parseCommandLine } from "./parser.ts";

function serve(...words: string[]) {
  return parseCommandLine(root, ["serve", ...words]).invocation;
}

function complaint(...words: string[]): UsageError {
  try {
    parseCommandLine(root, words);
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error(`no complaint about ${words.join(" ")}`);
}

Deno.test("a value may stand in the same word as its letter", () => {
  const { values, operands } = serve("-p10810", "-U-", "memory");
  assert.deepEqual({ ...values }, { port: "10810", unix: ["-"] });
  assert.deepEqual(operands, ["memory"]);
});

Deno.test("a value may be the next word, even one dash", () => {
  assert.deepEqual({ ...serve("-U", "-", "-p", "0").values }, { unix: ["-"], port: "0" });
});

Deno.test("letters may be grouped, the last one with a value", () => {
  const { values } = serve("-frvp10", "memory");
  assert.deepEqual({ ...values }, { foreground: true, readonly: true, verbose: true, port: "10" });
});

Deno.test("a long option takes its value after = or as the next word", () => {
  assert.equal(serve("--port=5").values["port"], "5");
  assert.equal(serve("--port", "5").values["port"], "5");
  assert.equal(serve("--exportname=").values["exportname"], "");
});

Deno.test("options may follow operands", () => {
  const { values, operands } = serve("memory", "-r", "1G", "--print-uri", "a=b");
  assert.deepEqual({ ...values }, { readonly: true, printUri: true });
  assert.deepEqual(operands, ["memory", "1G", "a=b"]);
});

Deno.test("after -- nothing is an option", () => {
  const { values, operands } = serve("-r", "memory", "--", "-v", "--help");
  assert.deepEqual({ ...values }, { readonly: true });
  assert.deepEqual(operands, ["memory", "-v", "--help"]);
});

Deno.test("aliases set the option that they stand for", () => {
  const { values } = serve("-b", "::1", "--bind=127.0.0.1", "-x", "disk", "--read-only");
  assert.deepEqual({ ...values }, {
    ipaddr: ["::1", "127.0.0.1"],
    exportname: "disk",
    readonly: true,
  });
});

Deno.test("the last of several values wins where an option has one", () => {
  assert.equal(serve("-p1", "--port=2").values["port"], "2");
});

Deno.test("commands in groups are found by path", () => {
  const { path, invocation } = parseCommandLine(root, ["plugin", "show", "--json", "x.wasm"]);
  assert.equal(path, "sandblock plugin show");
  assert.deepEqual(invocation.operands, ["x.wasm"]);
});

Deno.test("an option of the top does not reach into a command", () => {
  const { path, invocation } = parseCommandLine(root, ["serve", "--version"]);
  assert.equal(path, "sandblock serve");
  assert.equal(invocation.values["version"], true);
});

Deno.test("an unknown option is named, with the one that was probably meant", () => {
  const error = complaint("serve", "memory", "--exprotname=x");
  assert.equal(
    error.message,
    'cannot use option "--exprotname": there is no such option; did you mean "--exportname"?',
  );
  assert.equal(error.help, "sandblock serve --help");
  assert.match(
    complaint("serve", "-fz").message,
    /^cannot use option "-z": there is no such option/,
  );
});

Deno.test("a missing value is asked for", () => {
  assert.equal(
    complaint("serve", "memory", "-p").message,
    'cannot use option "--port": it needs a value; write --port=PORT',
  );
  assert.equal(
    complaint("serve", "memory", "--bind").message,
    'cannot use option "--ipaddr": it needs a value; write --ipaddr=ADDRESS',
  );
});

Deno.test("a value for an option that takes none is refused", () => {
  assert.equal(
    complaint("serve", "--readonly=yes", "memory").message,
    'cannot use option "--readonly=yes": "--readonly" takes no value',
  );
});

Deno.test("an unknown command is named, with the one that was probably meant", () => {
  const error = complaint("serv", "memory");
  assert.equal(
    error.message,
    'cannot run command "serv": there is no such command; did you mean "serve"?',
  );
  assert.equal(error.help, "sandblock --help");
  assert.match(
    complaint("plugin", "frobnicate").message,
    /; the commands are new, check, show, list, pack$/,
  );
});
