// SPDX-License-Identifier: MIT
// Building modules for a kernel of a later Debian suite: its tools need a newer C library than this
// system has, and its flags a newer compiler. The library is the one of the newer peers.

import { newerPeers, unpackNewerPeers } from "../peers.ts";

const LIBRARIES = "usr/lib/x86_64-linux-gnu";
const LINKER = "usr/lib64/ld-linux-x86-64.so.2";
const ELF_MAGIC = "\x7fELF";
const EXECUTABLE = 0o111;

/** What is said otherwise to GCC 12, and what it does not know. */
const COMPILER = `#!/bin/bash
# The compiler with the options that later ones have, as far as it has them.
options=()
for option; do
  case $option in
    -fmin-function-alignment=*) options+=("-falign-functions=\${option#*=}");;
    -std=gnu23) options+=(-std=gnu2x);;
    -fzero-init-padding-bits=*|-fstrict-flex-arrays=3*|-Wno-unterminated-string-initialization);;
    *) options+=("$option");;
  esac
done
exec gcc "\${options[@]}"
`;

/**
 * Makes the tools below `root`/usr/lib, which will be at `target`, start with the newer library, and
 * writes the compiler `root`/cc.
 */
export async function adaptTools(root: string, target: string): Promise<void> {
  await unpackNewerPeers();
  await Deno.writeTextFile(`${root}/cc`, COMPILER, { mode: 0o755 });
  const peers = newerPeers();
  const start = `"${peers}/${LINKER}" --library-path "${peers}/${LIBRARIES}"`;
  for (const path of await programsBelow(`${root}/usr/lib`)) {
    await Deno.rename(path, `${path}.real`);
    const real = `${target}${path.slice(root.length)}.real`;
    // Some find others by their own name.
    const script = `#!/bin/sh\nexec ${start} --argv0 "$0" "${real}" "$@"\n`;
    await Deno.writeTextFile(path, script, { mode: 0o755 });
  }
}

async function programsBelow(folder: string): Promise<string[]> {
  const programs: string[] = [];
  for (const { name, isDirectory, isFile } of Deno.readDirSync(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) programs.push(...await programsBelow(path));
    else if (isFile && await isProgram(path)) programs.push(path);
  }
  return programs;
}

async function isProgram(path: string): Promise<boolean> {
  if (((await Deno.stat(path)).mode! & EXECUTABLE) === 0) return false;
  using file = await Deno.open(path);
  const magic = new Uint8Array(ELF_MAGIC.length);
  await file.read(magic);
  return new TextDecoder().decode(magic) === ELF_MAGIC;
}
