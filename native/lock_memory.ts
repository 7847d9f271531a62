// SPDX-License-Identifier: MIT
// Keeps all memory of this process in RAM (mlockall(2)). V8, glibc and others give pages back now and
// then with madvise(2), which fails for locked memory; V8 takes that for a bug and aborts. So a filter of
// system calls (seccomp(2)) lets these calls succeed without doing anything: that is what they are allowed
// to do, as pages that were given back may keep their content until the kernel needs them.

import { check, SystemError } from "./errno.ts";
import { lateFunctions } from "./late.ts";

const symbols = lateFunctions({
  mlockall: { parameters: ["i32"], result: "i32" },
  syscall: { parameters: ["u32", "u32", "u32", "buffer"], result: "i32" },
});

const MCL_CURRENT = 1;
const MCL_FUTURE = 2;
/** Pages are locked when they are first used; all at once would be a gigabyte that is never used. */
const MCL_ONFAULT = 4;
const SECCOMP_SET_MODE_FILTER = 1;
/** For all threads that there are. */
const FILTER_FLAG_TSYNC = 1;
/** Without mitigations that would cost the threads speed. */
const FILTER_FLAG_SPEC_ALLOW = 4;
const RETURN_ALLOW = 0x7fff0000;
/** The call is not made and returns 0. */
const RETURN_ZERO = 0x00050000;

const LOAD_WORD = 0x20;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;
/** Offsets in struct seccomp_data. */
const AT_NUMBER = 0;
const AT_ARCHITECTURE = 4;
const AT_ADVICE = 32;

const EBUSY = 16;
const MADV_DONTNEED = 4;
const MADV_FREE = 8;

/** AUDIT_ARCH_*, and the numbers of madvise(2) and seccomp(2). */
const MACHINES: Readonly<Record<string, [number, number, number]>> = {
  x86_64: [0xc000003e, 28, 317],
  aarch64: [0xc00000b7, 233, 277],
};

/** Locks all memory that there is and will be. Takes root. Throws SystemError. */
export function lockMemory(): void {
  keepPages();
  check(
    symbols.mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT),
    "lock the memory of this process",
  );
}

function keepPages(): void {
  const [architecture, madvise, seccomp] = MACHINES[Deno.build.arch]!;
  const program: [number, number, number, number][] = [
    [LOAD_WORD, 0, 0, AT_ARCHITECTURE],
    [JUMP_IF_EQUAL, 0, 5, architecture],
    [LOAD_WORD, 0, 0, AT_NUMBER],
    [JUMP_IF_EQUAL, 0, 3, madvise],
    [LOAD_WORD, 0, 0, AT_ADVICE],
    [JUMP_IF_EQUAL, 2, 0, MADV_DONTNEED],
    [JUMP_IF_EQUAL, 1, 0, MADV_FREE],
    [RETURN, 0, 0, RETURN_ALLOW],
    [RETURN, 0, 0, RETURN_ZERO],
  ];
  const code = new Uint8Array(8 * program.length);
  const view = new DataView(code.buffer);
  program.forEach(([operation, whereTrue, whereFalse, value], i) => {
    view.setUint16(i * 8, operation, true);
    view.setUint8(i * 8 + 2, whereTrue);
    view.setUint8(i * 8 + 3, whereFalse);
    view.setUint32(i * 8 + 4, value, true);
  });
  // struct sock_fprog.
  const fprog = new Uint8Array(16);
  const fields = new DataView(fprog.buffer);
  fields.setUint16(0, program.length, true);
  fields.setBigUint64(8, Deno.UnsafePointer.value(Deno.UnsafePointer.of(code)), true);
  const flags = FILTER_FLAG_TSYNC | FILTER_FLAG_SPEC_ALLOW;
  const status = symbols.syscall(seccomp, SECCOMP_SET_MODE_FILTER, flags, fprog);
  const action = "filter system calls that give memory back";
  // A thread that cannot take over the filter is named by its number.
  if (check(status, action) > 0) throw new SystemError(action, EBUSY);
}
