// SPDX-License-Identifier: MIT
// Secrets that come through descriptors need a process of their own to be tested.

import assert from "node:assert/strict";

/** What readSecret gives for `text` in a process with this standard input. */
async function readIn(text: string, input: string): Promise<{ secret: string; rest: string }> {
  const script = `
    import { readSecret } from ${JSON.stringify(import.meta.resolve("./secret.ts"))};
    const secret = new TextDecoder().decode(readSecret(Deno.args[0], "key"));
    const rest = await new Response(Deno.stdin.readable).text();
    console.log(JSON.stringify({ secret, rest }));`;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      `data:application/typescript,${encodeURIComponent(script)}`,
      text,
    ],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { stdout } = await child.output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("the secret - is the first line of the standard input and leaves the rest", async () => {
  assert.deepEqual(await readIn("-", "open sesame\nrest"), { secret: "open sesame", rest: "rest" });
  assert.deepEqual(await readIn("-", "no newline"), { secret: "no newline", rest: "" });
});

Deno.test("the secret fd:N is everything that the descriptor gives", async () => {
  assert.deepEqual(await readIn("fd:0", "two\nlines\n"), { secret: "two\nlines", rest: "" });
});
