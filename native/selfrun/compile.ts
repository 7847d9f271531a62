// SPDX-License-Identifier: MIT
// The stub as machine code: compiled from stub.c where there is a C compiler, else the checked-in
// bytes of stub.hex. selfrun_test.ts holds the two equal.
//   deno run -A native/selfrun/compile.ts    rewrites stub.hex after a change of stub.c

const SOURCE = `${import.meta.dirname}/stub.c`;
const LINKER_SCRIPT = `${import.meta.dirname}/stub.ld`;
const CHECKED_IN = `${import.meta.dirname}/stub.hex`;

const FLAGS = [
  "-Os",
  "-ffreestanding",
  "-fno-builtin",
  "-fPIE",
  "-fno-stack-protector",
  "-fcf-protection=none",
  "-mno-sse",
  "-fno-asynchronous-unwind-tables",
  "-Wall",
  "-Wextra",
  "-nostdlib",
  "-static",
  "-Wl,--build-id=none",
  "-Wl,-z,noexecstack",
  `-Wl,-T,${LINKER_SCRIPT}`,
  "-Wl,--oformat=binary",
  "-Wl,-e,stub_start",
];

/** Linked at two addresses; equal bytes prove that the code has no absolute address in it. */
const BASES = ["0x0", "0x12340000"];

/** The stub and the compiler (name and version) that made it. */
export interface Stub {
  bytes: Uint8Array<ArrayBuffer>;
  compiler: string;
}

/**
 * Compiles stub.c with `$CC`, gcc or clang, whichever comes first. Null where there is no C
 * compiler for x86-64; throws with the compiler's own words where there is one and it refuses.
 */
export function compileStub(): Stub | null {
  const found = findCompiler();
  if (found === null) return null;
  const directory = Deno.makeTempDirSync({ prefix: "sandblock-stub-" });
  try {
    const [first, second] = BASES.map((base) => link(found.command, `${directory}/${base}`, base));
    if (first!.toHex() !== second!.toHex()) {
      throw new Error(`cannot use the stub made by ${found.version}: it depends on its address`);
    }
    return { bytes: first!, compiler: found.version };
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

/** The checked-in bytes. Throws SyntaxError when stub.hex is not what `formatStub` writes. */
export function checkedInStub(): Stub {
  return parseStub(Deno.readTextFileSync(CHECKED_IN));
}

/** The text of stub.hex: the compiler in the first line, then 32 bytes a line. */
export function formatStub({ bytes, compiler }: Stub): string {
  const lines = [`# stub.c compiled by ${compiler}`];
  for (let at = 0; at < bytes.length; at += 32) {
    lines.push(bytes.subarray(at, at + 32).toHex());
  }
  return lines.join("\n") + "\n";
}

/** Reads what `formatStub` wrote. */
export function parseStub(text: string): Stub {
  const [head, ...lines] = text.trim().split("\n");
  const compiler = head?.match(/^# stub\.c compiled by (.+)$/)?.[1];
  if (compiler === undefined) {
    throw new SyntaxError(`cannot read stub.hex: the first line does not name the compiler`);
  }
  return { bytes: Uint8Array.fromHex(lines.join("")), compiler };
}

function link(command: string, output: string, base: string): Uint8Array<ArrayBuffer> {
  const run = new Deno.Command(command, {
    args: [...FLAGS, `-Wl,--defsym=STUB_BASE=${base}`, "-o", output, SOURCE],
  }).outputSync();
  if (!run.success) {
    const words = new TextDecoder().decode(run.stderr).trim();
    throw new Error(`cannot compile ${SOURCE} with "${command}": ${words}`);
  }
  return Deno.readFileSync(output);
}

function findCompiler(): { command: string; version: string } | null {
  if (Deno.build.arch !== "x86_64") return null;
  const wanted = Deno.env.get("CC");
  for (const command of wanted ? [wanted] : ["gcc", "clang"]) {
    try {
      const run = new Deno.Command(command, { args: ["--version"], stderr: "null" }).outputSync();
      const version = new TextDecoder().decode(run.stdout).split("\n")[0]!.trim();
      if (run.success && version !== "") return { command, version };
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return null;
}

if (import.meta.main) {
  const stub = compileStub();
  if (stub === null) throw new Error("cannot rewrite stub.hex: there is no C compiler here");
  Deno.writeTextFileSync(CHECKED_IN, formatStub(stub));
  console.log(`stub.hex: ${stub.bytes.length} bytes by ${stub.compiler}`);
}
