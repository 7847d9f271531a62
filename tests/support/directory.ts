// SPDX-License-Identifier: MIT
// A directory of one test, which is gone after it.

/** See the top of this file. For `using`. */
export class TestDirectory implements Disposable {
  /** Absolute; short enough for unix sockets in it. */
  readonly path: string;

  constructor(within = "/tmp") {
    this.path = Deno.makeTempDirSync({ dir: within, prefix: "sandblock-test-" });
  }

  /** The path of something in it. */
  file(name: string): string {
    return `${this.path}/${name}`;
  }

  /** Writes a file in it; its path. */
  write(name: string, content: Uint8Array | string): string {
    const path = this.file(name);
    if (typeof content === "string") Deno.writeTextFileSync(path, content);
    else Deno.writeFileSync(path, content);
    return path;
  }

  /** Makes a file of `length` bytes that is all hole; its path. */
  sparse(name: string, length: number): string {
    const path = this.write(name, "");
    Deno.truncateSync(path, length);
    return path;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}
