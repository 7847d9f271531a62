// SPDX-License-Identifier: MIT
// Files that a server has made and removes when it ends. Synchronous, so that it also works at a
// moment when nothing else does.

import { writeFile } from "../files.ts";

/** See the top of this file. */
export class Leftovers {
  #undo: (() => void)[] = [];

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

  /** Removes everything, the latest first. */
  remove(): void {
    for (const undo of this.#undo.splice(0).reverse()) {
      try {
        undo();
      } catch {
        // Somebody else has removed it.
      }
    }
  }
}
