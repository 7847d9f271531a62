// SPDX-License-Identifier: MIT
// The executable as such, in all the surroundings that it may be started in: what a user, a service
// manager or a container leaves in the environment must neither reach Deno nor get lost.

import assert from "node:assert/strict";
import { TestDirectory } from "../support/directory.ts";
import { sandblock } from "../support/program.ts";

const EXECUTABLE = Deno.realPathSync(sandblock()[0]!);
const PATH = "/usr/bin:/bin";
const VERSION = /^sandblock [0-9]+\.[0-9]+\.[0-9]+\n$/;
/** Nobody, where the tests may become that; else whoever runs them. */
const UID = Deno.uid() === 0 ? 65534 : Deno.uid()!;

interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a command in `env` and nothing else. */
async function run(
  [program, ...args]: [string, ...string[]],
  env: Record<string, string> = {},
  options: { uid?: number; cwd?: string } = {},
): Promise<Result> {
  const { uid, cwd } = options;
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args,
    clearEnv: true,
    env,
    ...uid !== undefined && { uid, gid: uid },
    ...cwd !== undefined && { cwd },
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** A command that serves a small disk for as long as `script` runs, which can ask nothing of it. */
function captive(script: string): [string, ...string[]] {
  return [EXECUTABLE, "serve", "-U", "-", "memory", "1M", "--run", script];
}

function assertVersion({ code, stdout, stderr }: Result): void {
  assert.equal(stderr, "");
  assert.match(stdout, VERSION);
  assert.equal(code, 0);
}

Deno.test("the executable serves in an empty environment", async () => {
  const { code, stdout, stderr } = await run(captive('test -S "$unixsocket" && echo served'));
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "served\n", stderr: "" });
});

Deno.test("the executable serves as a user without a home", async () => {
  using directory = new TestDirectory();
  Deno.chmodSync(directory.path, 0o755);
  Deno.copyFileSync(EXECUTABLE, directory.file("sandblock"));
  Deno.chmodSync(directory.file("sandblock"), 0o755);
  const [, ...args] = captive("id -u");
  const { code, stdout, stderr } = await run([directory.file("sandblock"), ...args], { PATH }, {
    uid: UID,
    cwd: "/",
  });
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: `${UID}\n`, stderr: "" });
});

Deno.test("the executable runs by a symbolic link, by PATH and from any directory", async () => {
  using directory = new TestDirectory();
  Deno.symlinkSync(EXECUTABLE, directory.file("sandblock"));
  assertVersion(await run([directory.file("sandblock"), "--version"], {}, { cwd: "/" }));
  const env = { PATH: `${directory.path}:${PATH}` };
  assertVersion(await run(["/bin/sh", "-c", "sandblock --version"], env, { cwd: "/proc" }));
});

Deno.test("what is meant for Deno and Node does not change the executable", async () => {
  using home = new TestDirectory();
  home.write(".npmrc", "registry=nonsense\n");
  assertVersion(
    await run([EXECUTABLE, "--version"], {
      HOME: home.path,
      COMPLETE: "bash",
      DENO_DIR: "/nonexistent",
      DENO_V8_FLAGS: "--no-such-flag",
      NODE_OPTIONS: "--no-such-flag",
      NODE_DEBUG: "*",
      OTEL_DENO: "nonsense",
      RUST_LOG: "trace",
    }),
  );
});

Deno.test("the executable leaves nothing behind in the home and the cache of its user", async () => {
  using home = new TestDirectory();
  const env = { PATH, HOME: home.path, XDG_CACHE_HOME: home.path, TMPDIR: home.path };
  const { code } = await run(captive("true"), env);
  assert.equal(code, 0);
  assert.deepEqual([...Deno.readDirSync(home.path)], []);
});

Deno.test("a command that the executable runs gets the user's environment", async () => {
  using home = new TestDirectory();
  const env = {
    PATH,
    HOME: home.path,
    DENO_DIR: "/cache",
    NODE_OPTIONS: "--enable-source-maps",
    COMPLETE: "zsh",
    EMPTY: "",
    TEXT: "ü = \n2 lines",
  };
  const { code, stdout } = await run(captive("env -0"), env);
  assert.equal(code, 0);
  const seen = Object.fromEntries(
    stdout.split("\0").filter((entry) => entry !== "").map((entry) => {
      const equals = entry.indexOf("=");
      return [entry.slice(0, equals), entry.slice(equals + 1)];
    }),
  );
  // What --run adds, and what the shell does.
  for (const name of ["uri", "nbd", "port", "unixsocket", "exportname", "PWD", "SHLVL", "_"]) {
    delete seen[name];
  }
  assert.deepEqual(seen, env);
});

Deno.test("nothing but what was asked for is printed on a terminal", async () => {
  using directory = new TestDirectory();
  const transcript = directory.file("transcript");
  const command = ["script", "-qec", `${EXECUTABLE} --version`, transcript] as const;
  const { code, stdout } = await run([...command], { PATH, TERM: "xterm", HOME: directory.path });
  assert.equal(code, 0);
  assert.match(stdout.replaceAll("\r\n", "\n"), VERSION);
});

Deno.test("ps shows what was typed", async () => {
  const { stdout } = await run(captive("tr '\\0' ' ' < /proc/$PPID/cmdline"), { PATH });
  assert.match(stdout, /sandblock serve -U - memory 1M --run /);
  assert.equal(stdout.includes("--allow-all"), false);
});
