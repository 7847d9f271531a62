// SPDX-License-Identifier: MIT
// Makes one executable out of Deno and a program: a copy of the Deno executable with the stub (see
// stub.c), its configuration, an attachment and the program appended, and the entry point set to the
// stub.

import { ElfExecutable, type Segment, SegmentFlag, SegmentType } from "./elf.ts";

const PAGE_BYTES = 4096;
/** The fixed part of `struct config` in stub.c. */
const CONFIG_BYTES = 64;

/** What goes into the executable. */
export interface PackOptions {
  /** The Deno executable. */
  runtime: Uint8Array<ArrayBuffer>;
  /** Machine code of stub.c. */
  stub: Uint8Array;
  /** Bytes that the program finds in its own executable. */
  attachment: Uint8Array;
  /** The program, one JavaScript module that knows at which offset its attachment lies. */
  program: (attachmentOffset: number) => string;
  /** Arguments for Deno, in front of the program: `["run", ...]`. */
  runtimeArguments: string[];
  /** `NAME=value`, for the program's environment. */
  addedVariables: string[];
  /** Variables whose `NAME=value` begins with one of these are hidden from the program. */
  droppedPrefixes: string[];
  /** The command that goes on in the background, if there is one. */
  background?: BackgroundCommand;
}

/**
 * A command that is divided at once into a process that waits and one that works, in the background: in
 * a session of its own, with nothing on standard input. The first passes on what the second writes on
 * standard output, and ends with status 0 when that is a zero byte; otherwise it ends as the second
 * one does, and not with 0. Signals that would end it are passed on as SIGTERM.
 */
export interface BackgroundCommand {
  /** The first word after the program's name. */
  command: string;
  /** `NAME=value` for the process in the background. Whoever has the variable already is not divided. */
  mark: string;
  /** Nor is it with an option of one of these letters, */
  letters: string;
  /** or one that begins with one of these. What looks like such an option counts as one. */
  options: string[];
}

/** The bytes of the executable. Throws TypeError when the runtime has not the form it needs. */
export function pack(options: PackOptions): Uint8Array<ArrayBuffer> {
  try {
    return append(options, new ElfExecutable(options.runtime));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new TypeError(`cannot pack this Deno executable: ${error.message}`);
  }
}

function append(options: PackOptions, runtime: ElfExecutable): Uint8Array<ArrayBuffer> {
  const { stub, attachment, runtimeArguments, addedVariables, droppedPrefixes } = options;
  const background = backgroundStrings(options.background);
  const environSlot = runtime.globalSlot("environ");
  if (environSlot === null) throw new TypeError('it does not import "environ" from libc');

  const lists = [runtimeArguments, addedVariables, droppedPrefixes, background];
  const strings = encodeStrings(lists.flat());
  const stubOffset = pageUp(runtime.bytes.length);
  const stubBytes = stub.length + CONFIG_BYTES + strings.length;
  const stubAddress = pageUp(runtime.imageEnd);
  const attachmentOffset = pageUp(stubOffset + stubBytes);
  const program = new TextEncoder().encode(options.program(attachmentOffset));
  const programOffset = attachmentOffset + attachment.length;

  const bytes = new Uint8Array(programOffset + program.length);
  bytes.set(runtime.bytes);
  bytes.set(stub, stubOffset);
  bytes.set(strings, stubOffset + stub.length + CONFIG_BYTES);
  bytes.set(attachment, attachmentOffset);
  bytes.set(program, programOffset);

  const config = new DataView(bytes.buffer, stubOffset + stub.length, CONFIG_BYTES);
  // Without fork in reach the program does what the stub would have done.
  const forkSlot = runtime.globalSlot("fork") ?? 0;
  [stubAddress, runtime.entry, environSlot, forkSlot, programOffset, program.length]
    .forEach((value, index) => config.setBigUint64(index * 8, BigInt(value), true));
  lists.forEach(({ length }, index) => config.setUint32(48 + index * 4, length, true));

  const packed = new ElfExecutable(bytes);
  packed.writeSegments(replaceNote(packed.segments, {
    type: SegmentType.Load,
    flags: SegmentFlag.Read | SegmentFlag.Execute,
    offset: stubOffset,
    address: stubAddress,
    fileBytes: stubBytes,
    memoryBytes: stubBytes,
    align: PAGE_BYTES,
  }));
  packed.entry = stubAddress;
  return bytes;
}

/**
 * The segments with a note given up for `load`, which comes behind the other loads: loads must
 * ascend by address. Notes are for debuggers; nothing needs them at run time.
 */
function replaceNote(segments: Segment[], load: Segment): Segment[] {
  const note = segments.findIndex((segment) => segment.type === SegmentType.Note);
  if (note < 0) {
    throw new TypeError("it has no PT_NOTE program header to reuse; is it packed already?");
  }
  const kept = segments.toSpliced(note, 1);
  const lastLoad = kept.findLastIndex((segment) => segment.type === SegmentType.Load);
  return kept.toSpliced(lastLoad + 1, 0, load);
}

/** As `struct background` of stub.c has them. */
function backgroundStrings(background: BackgroundCommand | undefined): string[] {
  if (background === undefined) return [];
  const { command, mark, letters, options } = background;
  return [command, mark, letters, ...options];
}

function encodeStrings(strings: string[]): Uint8Array {
  for (const text of strings) {
    if (text.includes("\0")) throw new RangeError(`cannot bake in "${text}": it has a zero byte`);
  }
  return new TextEncoder().encode(strings.map((text) => text + "\0").join(""));
}

function pageUp(value: number): number {
  return Math.ceil(value / PAGE_BYTES) * PAGE_BYTES;
}
