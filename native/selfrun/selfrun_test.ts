// SPDX-License-Identifier: MIT
// The self-running form: the stub against its source, the packer against what it may be given, and
// packed executables against all the ways that they are started.

import assert from "node:assert/strict";
import { checkedInStub, compileStub, formatStub, parseStub } from "./compile.ts";
import { ElfExecutable, SegmentType } from "./elf.ts";
import { pack, type PackOptions } from "./pack.ts";

const compiled = compileStub();
const runtime = Deno.readFileSync(Deno.execPath());

const ATTACHMENT = new TextEncoder().encode("what the program brings with it");

/** Says what it sees of its surroundings. */
const program = (attachmentOffset: number) => `
  const text = (bytes) => new TextDecoder().decode(bytes);
  const attachment = () => {
    const file = Deno.openSync("/proc/self/exe");
    file.seekSync(${attachmentOffset}, Deno.SeekMode.Start);
    const bytes = new Uint8Array(${ATTACHMENT.length});
    file.readSync(bytes);
    return text(bytes);
  };
  if (typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope) {
    self.postMessage("from the worker");
  } else {
    const descriptors = {};
    for (const { name } of Deno.readDirSync("/proc/self/fd")) {
      try { descriptors[name] = Deno.readLinkSync("/proc/self/fd/" + name); } catch { /* gone */ }
    }
    const input = /flags:\\s+(\\d+)/.exec(Deno.readTextFileSync("/proc/self/fdinfo/0"))[1];
    const said = await new Promise((resolve) => {
      const worker = new Worker(import.meta.url, { type: "module" });
      worker.onmessage = ({ data }) => { worker.terminate(); resolve(data); };
    });
    console.log(JSON.stringify({
      args: Deno.args, environment: Deno.env.toObject(), descriptors, said,
      inputFlags: parseInt(input, 8), input: text(await new Response(Deno.stdin.readable).bytes()),
      commandLine: text(Deno.readFileSync("/proc/self/cmdline")).split("\\0").slice(0, -1),
      attachment: attachment(),
      userEnvironment: text(Deno.readFileSync("/proc/self/environ")), execPath: Deno.execPath(),
    }));
  }
`;

const OPTIONS: PackOptions = {
  runtime,
  stub: (compiled ?? checkedInStub()).bytes,
  attachment: ATTACHMENT,
  program,
  runtimeArguments: ["run", "--no-config", "--no-prompt", "--allow-all", "--ext=js"],
  addedVariables: ["HOME=/proc/self", "DENO_DIR=/proc/self/none", "DENO_NO_UPDATE_CHECK=1"],
  droppedPrefixes: ["HOME=", "DENO_", "COMPLETE="],
};

/** What the program prints. */
interface Seen {
  args: string[];
  environment: Record<string, string>;
  userEnvironment: string;
  descriptors: Record<string, string>;
  said: string;
  inputFlags: number;
  input: string;
  commandLine: string[];
  attachment: string;
  execPath: string;
}

const O_NONBLOCK = 0o4000;

const directory = Deno.makeTempDirSync({ prefix: "sandblock-selfrun-" });
Deno.chmodSync(directory, 0o755);
globalThis.addEventListener("unload", () => Deno.removeSync(directory, { recursive: true }));
const packed = `${directory}/packed`;
Deno.writeFileSync(packed, pack(OPTIONS), { mode: 0o755 });

/** Runs a command in `environment` alone and reads what the program printed. */
async function look(
  command: string,
  args: string[],
  options: { environment?: Record<string, string>; input?: string; uid?: number } = {},
): Promise<Seen> {
  const child = new Deno.Command(command, {
    args,
    clearEnv: true,
    env: options.environment ?? {},
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(options.input ?? ""));
  await writer.close();
  const { stdout, stderr } = await child.output();
  const text = new TextDecoder();
  assert.equal(text.decode(stderr), "");
  return JSON.parse(text.decode(stdout));
}

Deno.test({
  name: "stub.hex is what stub.c compiles to",
  ignore: compiled === null,
  async fn() {
    const checkedIn = checkedInStub();
    if (compiled!.compiler === checkedIn.compiler) {
      return assert.equal(formatStub(compiled!), formatStub(checkedIn));
    }
    // Another compiler makes other bytes, which the other tests run. These must do the same.
    const other = `${directory}/checked-in`;
    const bytes = pack({ ...OPTIONS, stub: checkedIn.bytes });
    Deno.writeFileSync(other, bytes, { mode: 0o755 });
    const { args, environment, said } = await look(other, ["a", "b"]);
    const { environment: expected } = await look(packed, ["a", "b"]);
    assert.deepEqual({ args, environment, said }, {
      args: ["a", "b"],
      environment: expected,
      said: "from the worker",
    });
  },
});

Deno.test("stub.hex that names no compiler is refused", () => {
  assert.throws(() => parseStub("00ff\n"), SyntaxError);
});

Deno.test("the program gets the user's arguments, whatever they look like", async () => {
  const args = ["--help", "--version", "--", "", "-A", "ü", ...Array(3000).fill("x")];
  assert.deepEqual((await look(packed, args)).args, args);
});

Deno.test("the kernel shows the command line that the user typed", async () => {
  assert.deepEqual((await look(packed, ["a", "b"])).commandLine, [packed, "a", "b"]);
});

Deno.test("variables are hidden and added, and the rest is handed on", async () => {
  const many = Object.fromEntries(Array.from({ length: 9000 }, (_, i) => [`V${i}`, `${i}`]));
  const environment = { ...many, DENO_V8_FLAGS: "--bad", COMPLETE: "bash", HOME: "/root" };
  const seen = await look(packed, [], { environment });
  const added = { HOME: "/proc/self", DENO_DIR: "/proc/self/none", DENO_NO_UPDATE_CHECK: "1" };
  assert.deepEqual(seen.environment, { ...many, ...added });
  assert.match(seen.userEnvironment, /(^|\0)COMPLETE=bash\0/);
});

Deno.test("it runs in an empty environment and as a user without a home", async () => {
  assert.equal((await look(packed, [])).execPath, packed);
  if (Deno.uid() === 0) assert.equal((await look(packed, [], { uid: 65534 })).execPath, packed);
});

Deno.test("it runs through a symbolic link and through PATH", async () => {
  Deno.symlinkSync(packed, `${directory}/linked`);
  assert.deepEqual((await look(`${directory}/linked`, ["a"])).args, ["a"]);
  const environment = { PATH: `${directory}:/usr/bin:/bin` };
  const seen = await look("/bin/sh", ["-c", "exec linked b"], { environment });
  assert.deepEqual(seen.commandLine, ["linked", "b"]);
});

Deno.test("inherited descriptors keep their numbers, and its own lies above them", async () => {
  const script = 'exec 3</dev/zero 4</dev/full; exec "$0"';
  const { descriptors } = await look("/bin/sh", ["-c", script, packed]);
  assert.equal(descriptors["3"], "/dev/zero");
  assert.equal(descriptors["4"], "/dev/full");
  assert.match(descriptors["512"]!, /^\/memfd:program/);
});

Deno.test("it runs where few descriptors are allowed", async () => {
  const { args } = await look("/bin/sh", ["-c", 'ulimit -n 100; exec "$0" a', packed]);
  assert.deepEqual(args, ["a"]);
});

Deno.test("standard input reaches the program untouched and blocking", async () => {
  const seen = await look(packed, [], { input: "IHAVEOPT" });
  assert.equal(seen.input, "IHAVEOPT");
  assert.equal(seen.inputFlags & O_NONBLOCK, 0);
});

Deno.test("the program finds what is attached to it", async () => {
  assert.equal((await look(packed, [])).attachment, "what the program brings with it");
});

Deno.test("a worker starts from the program's own URL", async () => {
  assert.equal((await look(packed, [])).said, "from the worker");
});

/** Works in the background, unless told otherwise, and does as its second argument says. */
const job = () => `
  const what = Deno.args[1];
  const write = (text) => Deno.stdout.writeSync(new TextEncoder().encode(text));
  if (typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope) {
    self.postMessage("from the worker");
  } else if (what === "fail") {
    console.error("it fails");
    Deno.exit(3);
  } else if (what === "crash") {
    Deno.kill(Deno.pid, "SIGKILL");
  } else if (what === "undo") {
    Deno.addSignalListener("SIGTERM", () => { write("undone"); Deno.exit(5); });
    write("doing ");
    setTimeout(() => {}, 60_000);
  } else if (what !== "end") {
    const session = Deno.readTextFileSync("/proc/self/stat").replace(/^.*\\) /, "").split(" ")[3];
    const worker = new Worker(import.meta.url, { type: "module" });
    const said = await new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
    write(JSON.stringify({
      pid: Deno.pid, isLeader: Number(session) === Deno.pid, said, mark: Deno.env.get("MARK") ?? null,
      input: Deno.readLinkSync("/proc/self/fd/0"), args: Deno.args,
    }));
    if (Deno.env.get("MARK") === "1") {
      write("\\0 and more");
      setTimeout(() => {}, 60_000);
    } else Deno.exit(0);
  }
`;

const divided = `${directory}/divided`;
Deno.writeFileSync(
  divided,
  pack({
    ...OPTIONS,
    program: job,
    background: { command: "work", mark: "MARK=1", letters: "xy", options: ["--stay", "--show"] },
  }),
  { mode: 0o755 },
);

const spawnJob = (args: string[], env = {}, stderr: "piped" | "null" = "piped") =>
  new Deno.Command(divided, { args, clearEnv: true, env, stdout: "piped", stderr }).spawn();

async function runJob(args: string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await spawnJob(args, env).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

Deno.test("a command for the background goes on there once it is ready", async () => {
  // Whoever waits for the end of standard error waits for the process in the background.
  const { code, stdout } = await spawnJob(["work", "", "-a", "--sta"], {}, "null").output();
  const { pid, ...seen } = JSON.parse(new TextDecoder().decode(stdout));
  Deno.kill(pid, "SIGKILL");
  assert.deepEqual({ code, ...seen }, {
    code: 0,
    isLeader: true,
    said: "from the worker",
    mark: "1",
    input: "/dev/null",
    args: ["work", "", "-a", "--sta"],
  });
});

Deno.test("what may be an option for the foreground, or the mark, keeps a command there", async () => {
  for (
    const words of [["work", "", "-ax"], ["work", "", "--stay=1"], ["works"], ["other", "work"]]
  ) {
    const { isLeader, mark } = JSON.parse((await runJob(words)).stdout);
    assert.deepEqual({ words, isLeader, mark }, { words, isLeader: false, mark: null });
  }
  const { isLeader, mark } = JSON.parse((await runJob(["work"], { MARK: "2" })).stdout);
  assert.deepEqual({ isLeader, mark }, { isLeader: false, mark: "2" });
});

Deno.test("a command for the background that ends before it is ready says how", async () => {
  assert.deepEqual(await runJob(["work", "fail"]), { code: 3, stdout: "", stderr: "it fails\n" });
  assert.equal((await runJob(["work", "crash"])).code, 128 + 9);
  assert.equal((await runJob(["work", "end"])).code, 1);
});

Deno.test("signals to a command for the background make it undo what it does", async () => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    const child = spawnJob(["work", "undo"]);
    const reader = child.stdout.getReader();
    let said = "";
    for (let got = await reader.read(); !got.done; got = await reader.read()) {
      said += new TextDecoder().decode(got.value);
      if (said === "doing ") child.kill(signal);
    }
    await child.stderr.cancel();
    const { code } = await child.status;
    assert.deepEqual({ signal, said, code }, { signal, said: "doing undone", code: 5 });
  }
});

Deno.test("a command for the background runs without standard input and output", () => {
  const { stderr, code } = new Deno.Command("/bin/sh", {
    args: ["-c", '"$0" work fail <&- >&-', divided],
  }).outputSync();
  assert.equal(new TextDecoder().decode(stderr), "it fails\n");
  assert.equal(code, 3);
});

Deno.test("an executable that was cut short says so", () => {
  const cut = `${directory}/cut`;
  const bytes = Deno.readFileSync(packed);
  Deno.writeFileSync(cut, bytes.subarray(0, bytes.length - 100), { mode: 0o755 });
  const { code, stderr } = new Deno.Command(cut).outputSync();
  assert.equal(code, 70);
  assert.match(new TextDecoder().decode(stderr), /^sandblock: error: cannot read .*cut short\n$/);
});

Deno.test("loads ascend by address wherever the runtime has its note", () => {
  const { bytes, segments } = new ElfExecutable(pack(OPTIONS));
  const elf = new ElfExecutable(runtime.slice());
  const noteFirst = elf.segments.toSorted((a, b) => rank(a.type) - rank(b.type));
  elf.writeSegments(noteFirst);
  const repacked = new ElfExecutable(pack({ ...OPTIONS, runtime: elf.bytes }));
  for (const list of [segments, repacked.segments]) {
    const loads = list.filter(({ type }) => type === SegmentType.Load);
    assert.deepEqual(loads, loads.toSorted((a, b) => a.address - b.address));
    assert.equal(list.some(({ type }) => type === SegmentType.Note), false);
  }
  assert.equal(repacked.bytes.length, bytes.length);

  function rank(type: number): number {
    return type === SegmentType.Note ? 0 : 1;
  }
});

Deno.test("the packer refuses what it cannot use, and says why", () => {
  const cases: [RegExp, (bytes: Uint8Array) => void][] = [
    [/not an ELF file/, (bytes) => bytes.fill(0, 0, 4)],
    [/not built for x86-64/, (bytes) => bytes[18] = 183],
    [/not a position-independent/, (bytes) => bytes[16] = 2],
    [/not a position-independent/, (bytes) => removeSegment(bytes, SegmentType.Interpreter)],
    [/no PT_NOTE/, (bytes) => removeSegment(bytes, SegmentType.Note)],
    [/dynamic section is incomplete/, (bytes) => removeSegment(bytes, SegmentType.Dynamic)],
  ];
  for (const [expected, spoil] of cases) {
    const spoilt = runtime.slice();
    spoil(spoilt);
    assert.throws(() => pack({ ...OPTIONS, runtime: spoilt }), {
      name: "TypeError",
      message: expected,
    });
  }
  const short = runtime.slice(0, 100);
  assert.throws(() => pack({ ...OPTIONS, runtime: short }), /its program headers are cut off/);
  assert.throws(() => pack({ ...OPTIONS, addedVariables: ["A=\0"] }), /it has a zero byte/);
});

Deno.test("a packed executable is not packed again", () => {
  assert.throws(() => pack({ ...OPTIONS, runtime: Deno.readFileSync(packed) }), /packed already/);
});

/** Turns the program headers of one type into PT_NULL. */
function removeSegment(bytes: Uint8Array, type: number): void {
  const elf = new ElfExecutable(bytes as Uint8Array<ArrayBuffer>);
  elf.writeSegments(elf.segments.map((one) => one.type === type ? { ...one, type: 0 } : one));
}
