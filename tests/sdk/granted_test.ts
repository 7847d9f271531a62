// SPDX-License-Identifier: MIT
// Files and connections in the SDKs: a disk in a file that was granted, which asks a server, that was granted
// too, before it flushes. granted/ has the same in each language.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { install } from "../peers.ts";
import { run } from "../support/command.ts";
import { sandblock } from "../support/program.ts";
import { withNewPlugin } from "./new_plugin.ts";
import { cargoCommand, COMPONENTIZE_PY, goCommand, pythonProgram } from "./toolchains.ts";

const BYTES = 256 * 1024;

const MANIFEST = JSON.stringify({
  abi: "3.2",
  name: "granted",
  version: "1",
  kind: "plugin",
  parameters: [
    { name: "file", type: "path", required: true },
    { name: "server", type: "string", required: true },
  ],
  capabilities: { write: { required: true }, net: { required: true } },
});

/** A language: where its code goes, and what make is told. */
interface Language {
  title: string;
  language: string;
  from: string;
  source: string;
  variables: () => Promise<Record<string, string>>;
}

const LANGUAGES: Language[] = [
  {
    title: "Go",
    language: "go",
    from: "granted.go",
    source: "main.go",
    variables: async () => ({ GO: await goCommand() }),
  },
  {
    title: "JavaScript",
    language: "javascript",
    from: "granted.js",
    source: "main.js",
    variables: async () => {
      await install({ node: "nodejs", npx: "npm" });
      return {};
    },
  },
  {
    title: "Python",
    language: "python",
    from: "granted.py",
    source: "app.py",
    variables: async () => ({
      COMPONENTIZE_PY: await pythonProgram(COMPONENTIZE_PY, "componentize-py"),
    }),
  },
  {
    title: "Rust",
    language: "rust",
    from: "granted.rs",
    source: "src/lib.rs",
    variables: async () => ({ CARGO: await cargoCommand() }),
  },
];

/** Answers "yes" to each line, on a connection of its own, as long as `allows` says so. */
class Server implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #ended = this.#accept();
  questions: string[] = [];
  allows = true;

  get address(): string {
    return `127.0.0.1:${(this.#listener.addr as Deno.NetAddr).port}`;
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      const buffer = new Uint8Array(64);
      const count = await connection.read(buffer);
      this.questions.push(new TextDecoder().decode(buffer.subarray(0, count ?? 0)));
      await connection.write(new TextEncoder().encode(this.allows ? "yes" : "no"));
      connection.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#ended;
  }
}

for (const { title, language, from, source, variables } of LANGUAGES) {
  Deno.test(`a plugin in ${title} uses files and connections that were granted`, async () => {
    const code = await Deno.readTextFile(new URL(`granted/${from}`, import.meta.url));
    const replaced: Record<string, string> = { [source]: code };
    if (language !== "rust") replaced["manifest.json"] = MANIFEST;
    const plugin = { language, kind: "plugin", variables: await variables(), replaced } as const;
    await withNewPlugin({ ...plugin, timeoutMs: 300_000 }, tryGranted);
  });
}

async function tryGranted(cwd: string, module: string): Promise<void> {
  await using server = new Server();
  const disk = `${cwd}/disk`;
  const data = crypto.getRandomValues(new Uint8Array(BYTES / 4));
  await Deno.writeFile(`${cwd}/data`, data);
  await Deno.writeFile(disk, new Uint8Array(BYTES));
  const parameters = [`file=${disk}`, `server=${server.address}`];
  const grants = [`--allow=write=${cwd}`, `--allow=net=${server.address}`];
  const serve = (script: string) => {
    const command = [...sandblock(), "serve", "-U", "-", ...grants, module, ...parameters];
    return run([...command, "--run", script], { cwd, timeoutMs: 120_000 });
  };
  const copied = await serve(
    `nbdcopy --flush data "$uri" && nbdcopy "$uri" back && cmp -n ${data.length} data back`,
  );
  assert.deepEqual([copied.stderr, copied.code], ["", 0]);
  assert.deepEqual([...new Set(server.questions)], ["flush\n"]);
  const kept = (await Deno.readFile(disk)).subarray(0, data.length);
  assert.equal(Buffer.compare(kept, data), 0);
  server.allows = false;
  const refused = await serve(`nbdcopy --flush data "$uri"`);
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /Input\/output error/);
}
