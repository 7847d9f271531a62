// SPDX-License-Identifier: MIT
// The exports of a device as one client gets them: read-only or not, the default export renamed.

import type { Device, OpenExport } from "../block/device.ts";
import { BlockError, Errno } from "../block/errno.ts";
import type { ExportEntry } from "../block/export.ts";
import type { ExportDirectory } from "../nbd/directory.ts";
import type { Profile } from "./profile.ts";

/** What is decided before a client names an export. */
export interface Binding {
  readOnly: boolean;
  /** Who the client is, in words. */
  peer: string;
  /** What clients call the default export of the device; undefined: its own name. */
  alias: string | undefined;
  /** Is told why an export could not be opened, which not every client shows. */
  refused?(why: string): void;
  /** What counts its requests; null where nothing does. */
  profile?: Profile | null;
}

/** See the top of this file. */
export class BoundDirectory implements ExportDirectory {
  readonly #device: Device;
  readonly #binding: Binding;
  /** Name of the device for what clients know by the alias; null where nothing is renamed. */
  readonly #renamed: string | null;
  #admitted = false;

  constructor(device: Device, binding: Binding) {
    this.#device = device;
    this.#binding = binding;
    this.#renamed = binding.alias === undefined ? null : device.defaultExport();
  }

  list(): ExportEntry[] {
    this.#admit();
    const alias = this.#binding.alias;
    return this.#device.list().map((entry) =>
      entry.name === this.#renamed ? { ...entry, name: alias! } : entry
    );
  }

  defaultExport(): string | null {
    return this.#renamed === null ? this.#device.defaultExport() : this.#binding.alias!;
  }

  open(name: string, mayDefer = false): OpenExport {
    try {
      return this.#openNamed(name, mayDefer);
    } catch (error) {
      if (error instanceof BlockError) this.#binding.refused?.(error.message);
      throw error;
    }
  }

  #openNamed(name: string, mayDefer: boolean): OpenExport {
    this.#admit();
    const alias = this.#binding.alias;
    if (this.#renamed === null || name !== alias) return this.#open(this.#original(name), mayDefer);
    const opened = this.#open(this.#renamed, mayDefer);
    opened.info.name = name;
    return opened;
  }

  /** Asks the device, once, whether the client may come in. Throws BlockError. */
  #admit(): void {
    if (this.#admitted) return;
    this.#device.connect(this.#binding.peer);
    this.#admitted = true;
  }

  /** A name as the device knows it. A renamed export no longer answers to its own name. */
  #original(name: string): string {
    if (this.#renamed !== null && name === this.#renamed && name !== "") {
      throw new BlockError(Errno.ENOENT, `there is no export "${name}"`);
    }
    return name;
  }

  #open(name: string, mayDefer: boolean): OpenExport {
    const { readOnly, peer, profile = null } = this.#binding;
    const opened = this.#device.open(name, { readOnly, peer, mayDefer });
    return profile === null ? opened : profile.watch(opened);
  }
}
