// SPDX-License-Identifier: MIT
// What a process asks of the kernel about itself: its parent, and a signal when that dies (prctl(2)).

import { check, lastErrno, SystemError } from "./errno.ts";
import { lateFunctions } from "./late.ts";

const O_RDWR = 2;
const O_CLOEXEC = 0o2000000;
const PR_SET_PDEATHSIG = 1;

const symbols = lateFunctions({
  getppid: { parameters: [], result: "i32" },
  prctl: { parameters: ["i32", "u32"], result: "i32" },
  open: { parameters: ["buffer", "i32"], result: "i32" },
  execve: { parameters: ["buffer", "buffer", "buffer"], result: "i32" },
  dup2: { parameters: ["i32", "i32"], result: "i32" },
});

/** Process id of the parent as it is now; 1 or that of a subreaper when the parent has gone. */
export function parentPid(): number {
  return symbols.getppid();
}

/** Has `signal` sent to this process when its parent ends. Does nothing when it ended already. */
export function signalWhenParentEnds(signal: number): void {
  check(symbols.prctl(PR_SET_PDEATHSIG, signal), "watch the parent process");
}

/** Makes descriptor `to` a copy of `from`, closing what it was. */
export function replaceDescriptor(from: number, to: number): void {
  check(symbols.dup2(from, to), `replace descriptor ${to}`);
}

/** Opens /dev/null for reading and writing. */
export function openNull(): number {
  const path = new TextEncoder().encode("/dev/null\0");
  return check(symbols.open(path, O_RDWR | O_CLOEXEC), "open /dev/null");
}

/**
 * Goes on as another program, in the same process and with the descriptors that are left open for
 * children (execve(2)). Throws SystemError where it cannot be started.
 */
export function replaceProgram(
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
): never {
  const texts: Uint8Array[] = [];
  const pointers = (words: readonly string[]) => {
    const list = new BigUint64Array(words.length + 1);
    words.forEach((word, i) => {
      const text = new TextEncoder().encode(`${word}\0`);
      texts.push(text);
      list[i] = Deno.UnsafePointer.value(Deno.UnsafePointer.of(text));
    });
    return new Uint8Array(list.buffer);
  };
  const path = new TextEncoder().encode(`${command[0]}\0`);
  const words = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  symbols.execve(path, pointers(command), pointers(words));
  throw new SystemError(`start "${command[0]}"`, lastErrno());
}
