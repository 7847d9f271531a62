// SPDX-License-Identifier: MIT
// Programs that tests of the command line run.

/** What a program printed, and how it ended. */
export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end. */
export async function run(program: string, args: string[], env = {}): Promise<Ran> {
  const { code, stdout, stderr } = await new Deno.Command(program, { args, env }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** Whether `program` is installed; says so when it is not, so that the skip is seen. */
export function installed(program: string): boolean {
  try {
    return new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch {
    console.warn(`skipped: ${program} is not installed`);
    return false;
  }
}
