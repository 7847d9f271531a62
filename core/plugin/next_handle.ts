// SPDX-License-Identifier: MIT
// What a filter has open below it: one export of each of its children.

import type { Device, OpenExport, OpenOptions } from "../block/device.ts";
import { Command } from "../block/request.ts";

/** See the top of this file. */
export class NextHandle {
  readonly children: readonly OpenExport[];
  /** Who takes a command below, by child and command: nodes that do nothing for it are left out. */
  readonly routes: readonly (readonly OpenExport[])[];
  /** Requests to the children that are under way. */
  outstanding = 0;
  #closed = false;

  private constructor(children: OpenExport[]) {
    this.children = children;
    this.routes = children.map(routesOf);
  }

  /** Opens the export `name` of every device. Throws BlockError, with none of them open. */
  static open(devices: readonly Device[], name: string, options: OpenOptions): NextHandle {
    const children: OpenExport[] = [];
    try {
      for (const device of devices) children.push(device.open(name, options));
    } catch (error) {
      for (const child of children) child.close();
      throw error;
    }
    return new NextHandle(children);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Closes the children as soon as nothing is under way. */
  close(): void {
    this.#closed = true;
    if (this.outstanding === 0) this.#closeChildren();
  }

  /** A request to a child has ended. */
  ended(): void {
    if (--this.outstanding === 0 && this.#closed) this.#closeChildren();
  }

  #closeChildren(): void {
    for (const child of this.children) child.close();
  }
}

/** Who takes the requests to `opened`, by command. */
export function routesOf(opened: OpenExport): OpenExport[] {
  return Array.from({ length: Command.BlockStatus + 1 }, (_, command) => {
    return opened.route?.(command) ?? opened;
  });
}
