// SPDX-License-Identifier: MIT
// Files that a server has made and removes when it ends. Synchronous, so that it also works at a
// moment when nothing else does.

import type { ListenAddress } from "../../core/control/options.ts";
import { writeFile } from "../files.ts";

/** See the top of this file. */
export class Leftovers {
  #undo: (() => void)[] = [];
  #sockets: string[] = [];

  /** Removes a directory and what is in it. */
  directory(path: string): void {
    this.#undo.push(() => Deno.removeSync(path, { recursive: true }));
  }

  /** Writes the process id to a file, and removes that unless it has become another process's. */
  pidfile(path: string): void {
    const contents = `${Deno.pid}\n`;
    writeFile("pidfile", path, contents);
    this.#undo.push(() => {
      if (Deno.readTextFileSync(path) === contents) Deno.removeSync(path);
    });
  }

  /** A listener whose socket file the server removes itself, unless it has to end at once. */
  listener(address: ListenAddress): void {
    if (address.kind === "unix" && !address.path.startsWith("@")) this.#sockets.push(address.path);
  }

  /** Removes everything but sockets, the latest first. */
  remove(): void {
    for (const undo of this.#undo.splice(0).reverse()) attempt(undo);
  }

  /** Removes everything, for an end without the server. */
  removeAtOnce(): void {
    for (const path of this.#sockets) attempt(() => Deno.removeSync(path));
    this.remove();
  }
}

function attempt(undo: () => void): void {
  try {
    undo();
  } catch {
    // Somebody else has removed it.
  }
}
