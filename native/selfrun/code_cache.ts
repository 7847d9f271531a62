// SPDX-License-Identifier: MIT
// What V8 makes of a program, for the executable to begin with: without it every start parses all of
// the program and compiles what it runs, in every thread. V8 checks that it has made the cache itself,
// of the same text and with the same flags, and does without it otherwise.

/** V8's code caches of one program. */
export interface CodeCaches {
  main: Uint8Array;
  worker: Uint8Array;
}

/** How long the program may take to end, once it was told to. */
const ENDING_MS = 20_000;

/**
 * Runs a script (see `asScript`) with a Deno and its `runtimeArguments` once. `args` are the program's;
 * `exercise` uses it while it runs and then makes it end, by Deno.exit in the main thread and by
 * `self.close` in the one worker: what they have run until then is what the caches have compiled.
 * Throws when the program does not end with status 0.
 */
export async function makeCodeCaches(
  script: string,
  options: {
    runtime: string;
    runtimeArguments: readonly string[];
    /** Folder of its assets. */
    assets: string;
    args: readonly string[];
    exercise(child: Deno.ChildProcess): Promise<void>;
  },
): Promise<CodeCaches> {
  const directory = Deno.makeTempDirSync({ prefix: "sandblock-code-cache-" });
  try {
    Deno.writeTextFileSync(`${directory}/script`, script);
    Deno.symlinkSync(options.assets, `${directory}/assets`);
    Deno.writeTextFileSync(`${directory}/run.js`, recorder(directory));
    const child = new Deno.Command(options.runtime, {
      args: [...options.runtimeArguments, `${directory}/run.js`, ...options.args],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const output = child.output();
    try {
      await options.exercise(child);
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
    const { success, stderr } = await output;
    if (!success) throw new Error(`cannot run the program once: ${text(stderr)}`);
    const read = (name: string) => Deno.readFileSync(`${directory}/${name}.cache`);
    return { main: read("main"), worker: read("worker") };
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).trim();
}

/** A module that does what the loader does, without a cache, and writes one when its thread ends. */
function recorder(directory: string): string {
  return `import { Script } from "node:vm";
const at = (name) => ${JSON.stringify(`${directory}/`)} + name;
const script = new Script(Deno.readTextFileSync(at("script")), { filename: "sandblock.js" });
const keep = (name) => {
  Deno.writeFileSync(at(name + ".new"), script.createCachedData());
  Deno.renameSync(at(name + ".new"), at(name + ".cache"));
};
if (typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope) {
  const close = self.close.bind(self);
  self.close = () => { keep("worker"); close(); };
} else {
  const exit = Deno.exit;
  Deno.exit = (status) => {
    keep("main");
    // The end of the process is the worker's as well.
    const end = performance.now() + ${ENDING_MS};
    const exists = () => { try { return Deno.statSync(at("worker.cache")).isFile; } catch { return false; } };
    const word = new Int32Array(new SharedArrayBuffer(4));
    while (!exists() && performance.now() < end) Atomics.wait(word, 0, 0, 5);
    exit(status);
  };
}
await script.runInThisContext()(import.meta.url, null, null);
`;
}
