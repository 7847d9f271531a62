// SPDX-License-Identifier: MIT
// The exports of a server that has several devices, each with one export under a name of the server's,
// some of which other reactors serve.

import type { OpenExport } from "../block/device.ts";
import { BlockError, Errno } from "../block/errno.ts";
import type { ExportEntry } from "../block/export.ts";
import { Elsewhere, type ExportDirectory } from "../nbd/directory.ts";
import type { NamedExports } from "./messages.ts";
import type { Served } from "./served.ts";

/** See the top of this file. For one client. */
export class NamedDirectory implements ExportDirectory {
  readonly #exports: NamedExports;
  readonly #place: number;
  readonly #find: (name: string) => Served | undefined;
  readonly #peer: string;
  readonly #bound = new Map<string, ExportDirectory>();

  /** `place`: number of the own reactor; `find`: what it serves. */
  constructor(
    exports: NamedExports,
    place: number,
    find: (name: string) => Served | undefined,
    peer: string,
  ) {
    this.#exports = exports;
    this.#place = place;
    this.#find = find;
    this.#peer = peer;
  }

  /** What the configuration says, without a look at devices: a client may ask before it chooses. */
  list(): ExportEntry[] {
    return this.#exports.list.map(({ name, description }) => ({ name, description }));
  }

  defaultExport(): string | null {
    return this.#exports.default;
  }

  open(name: string, mayDefer = false): OpenExport {
    const entry = this.#exports.list.find((one) => one.name === name);
    if (entry === undefined) throw new BlockError(Errno.ENOENT, `there is no export "${name}"`);
    if (entry.place !== this.#place) throw new Elsewhere(entry.place);
    const opened = this.#directory(name).open(name, mayDefer);
    opened.info.description = entry.description;
    return opened;
  }

  /** One for each device, since a client is announced to it once. */
  #directory(name: string): ExportDirectory {
    let directory = this.#bound.get(name);
    if (directory === undefined) {
      directory = this.#find(name)!.onlyExport(this.#peer);
      this.#bound.set(name, directory);
    }
    return directory;
  }
}
