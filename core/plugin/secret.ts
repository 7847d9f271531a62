// SPDX-License-Identifier: MIT
// Gets the contents of files, and secrets from where they are kept, so that they need not stand on the command line, where
// everybody on the machine can read them.

import { ParameterError } from "./errors.ts";
import { oneLine, quoted } from "./text.ts";

/** Longest secret. */
export const SECRET_BYTES_MAX = 64 * 1024;
/** Longest file that is handed to a plugin as a whole. */
export const FILE_BYTES_MAX = 16 * 1024 * 1024;

const NEWLINE = 10;
const CARRIAGE_RETURN = 13;
const BACKSPACES = [8, 127];
const CONTROL_C = 3;
const CONTROL_D = 4;

/**
 * The secret that `text` stands for: `+FILE`, `fd:N`, `env:NAME`, `-` (asked for on the terminal, or
 * the first line of the standard input), or else the text itself. One newline at the end of a file
 * is not part of it. Throws ParameterError with a fact.
 */
export function readSecret(text: string, name: string): Uint8Array<ArrayBuffer> {
  if (text.startsWith("+")) return readFile(text.slice(1));
  if (text === "-") return Deno.stdin.isTerminal() ? prompt(name) : readLine();
  const source = /^(fd|env):(.*)$/s.exec(text);
  if (source?.[1] === "fd") {
    if (!/^[0-9]{1,9}$/.test(source[2]!)) throw new ParameterError("fd: needs a number after it");
    return readFile(`/proc/self/fd/${source[2]}`);
  }
  if (source?.[1] === "env") {
    const value = source[2] === "" ? undefined : Deno.env.get(source[2]!);
    if (value === undefined) throw new ParameterError(`there is no variable ${quoted(source[2]!)}`);
    return new TextEncoder().encode(value);
  }
  return new TextEncoder().encode(text);
}

/** All of the file at `path`, for a parameter of the type file. Throws ParameterError with a fact. */
export function readContent(path: string): Uint8Array<ArrayBuffer> {
  try {
    using file = Deno.openSync(path);
    const { size, isDirectory } = file.statSync();
    if (isDirectory) throw new ParameterError("it is a directory");
    if (size > FILE_BYTES_MAX) {
      throw new ParameterError(`it has ${size} bytes; ${FILE_BYTES_MAX} are the most`);
    }
    const bytes = new Uint8Array(size);
    let length = 0;
    while (length < size) {
      const count = file.readSync(bytes.subarray(length));
      if (count === null) break;
      length += count;
    }
    return bytes.subarray(0, length);
  } catch (error) {
    if (error instanceof ParameterError) throw error;
    throw new ParameterError(oneLine((error as Error).message));
  }
}

function readFile(path: string): Uint8Array<ArrayBuffer> {
  try {
    using file = Deno.openSync(path);
    return readUpTo(file, () => false);
  } catch (error) {
    if (error instanceof ParameterError) throw error;
    throw new ParameterError(`cannot read ${quoted(path)}: ${oneLine((error as Error).message)}`);
  }
}

function readLine(): Uint8Array<ArrayBuffer> {
  return readUpTo(Deno.stdin, (byte) => byte === NEWLINE);
}

/** Reads until the end, or the first byte that is the `last`, without one newline at the end. */
function readUpTo(
  source: { readSync(into: Uint8Array): number | null },
  last: (byte: number) => boolean,
): Uint8Array<ArrayBuffer> {
  const secret = new Uint8Array(SECRET_BYTES_MAX + 1);
  let length = 0;
  // Byte by byte when a line is wanted, since what follows it is for somebody else.
  const step = last(NEWLINE) ? 1 : secret.length;
  while (length < secret.length) {
    const count = source.readSync(secret.subarray(length, length + step)) ?? 0;
    if (count === 0) break;
    length += count;
    if (last(secret[length - 1]!)) break;
  }
  if (length > 0 && secret[length - 1] === NEWLINE) length--;
  if (length > SECRET_BYTES_MAX) {
    throw new ParameterError(`the secret is longer than ${SECRET_BYTES_MAX} bytes`);
  }
  return secret.slice(0, length);
}

/** Asks for a line on the terminal without showing what is typed. */
function prompt(name: string): Uint8Array<ArrayBuffer> {
  const say = (text: string) => Deno.stderr.writeSync(new TextEncoder().encode(text));
  say(`${name}: `);
  Deno.stdin.setRaw(true);
  try {
    return typedLine();
  } finally {
    Deno.stdin.setRaw(false);
    say("\n");
  }
}

function typedLine(): Uint8Array<ArrayBuffer> {
  const typed: number[] = [];
  const byte = new Uint8Array(1);
  while (typed.length < SECRET_BYTES_MAX && Deno.stdin.readSync(byte) === 1) {
    const key = byte[0]!;
    if (key === CONTROL_C) throw new ParameterError("interrupted");
    if (key === NEWLINE || key === CARRIAGE_RETURN || key === CONTROL_D) break;
    if (BACKSPACES.includes(key)) typed.pop();
    else typed.push(key);
  }
  return Uint8Array.from(typed);
}
