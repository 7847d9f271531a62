// SPDX-License-Identifier: MIT
// What a filter has open below it: one export of each of its children.

import { BlockError, Errno } from "../block/errno.ts";
import type { ExportInfo } from "../block/export.ts";
import type { Device, OpenExport, OpenOptions } from "../block/device.ts";
import { COMMANDS_END } from "../block/request.ts";

/** See the top of this file. */
export class NextHandle {
  readonly children: readonly OpenExport[];
  /** Who takes a command below, by child and command: nodes that do nothing for it are left out. */
  readonly routes: readonly (readonly OpenExport[])[];
  /** Requests to the children that are under way. */
  outstanding = 0;
  /** Called when a child has another size; see OpenExport. */
  onResize: (() => void) | null = null;
  /** What is open in its place, once that is so. */
  successor: NextHandle | null = null;
  readonly #name: string;
  readonly #options: OpenOptions;
  #closed = false;

  private constructor(children: OpenExport[], name: string, options: OpenOptions) {
    this.children = children;
    this.routes = children.map(routesOf);
    for (const child of children) child.onResize = () => this.onResize?.();
    this.#name = name;
    this.#options = { ...options, mayDefer: false };
  }

  /** What is open now: this, or what has taken its place. */
  get latest(): NextHandle {
    return this.successor === null ? this : this.successor.latest;
  }

  /** Opens the export `name` of every device. Throws BlockError, with none of them open. */
  static open(devices: readonly Device[], name: string, options: OpenOptions): NextHandle {
    const children: OpenExport[] = [];
    // One that is not ready must not have others opened again and again.
    const mayDefer = options.mayDefer === true && devices.length === 1;
    try {
      for (const device of devices) children.push(device.open(name, { ...options, mayDefer }));
    } catch (error) {
      for (const child of children) child.close();
      throw error;
    }
    return new NextHandle(children, name, options);
  }

  /**
   * Opens the same again, in place of this, which is closed when nothing of it is under way. Throws
   * BlockError, with this as it was.
   */
  reopen(devices: readonly Device[], readOnly: boolean): NextHandle {
    const options = { ...this.#options, readOnly: readOnly || this.#options.readOnly };
    const next = NextHandle.open(devices, this.#name, options);
    for (const [index, { info }] of next.children.entries()) {
      const fact = difference(this.children[index]!.info, info);
      if (fact === "") continue;
      next.close();
      throw new BlockError(Errno.EIO, `cannot use what was opened again: ${fact}`);
    }
    this.successor = next;
    next.onResize = this.onResize;
    this.onResize = null;
    this.close();
    return next;
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

/** Why `after` cannot stand in for `before`, whose client relies on it; "" if it can. */
function difference(before: ExportInfo, after: ExportInfo): string {
  if (before.sizeHigh !== after.sizeHigh || before.sizeLow !== after.sizeLow) {
    return "it has another size now";
  }
  if (before.zones?.size !== after.zones?.size) return "it has other zones now";
  if (after.blockSize.minimum > before.blockSize.minimum) return "its smallest block has grown";
  if (after.blockSize.maximum < before.blockSize.maximum) return "its largest block has shrunk";
  for (const name of Object.keys(before.can) as (keyof typeof before.can)[]) {
    const writes = ["write", "fua", "trim", "zero", "fastZero", "secureErase"].includes(name);
    if (after.readOnly && writes) continue;
    if (before.can[name] > 0 && after.can[name] === 0) return `it has no ${name} any more`;
  }
  return "";
}

/** Who takes the requests to `opened`, by command. */
export function routesOf(opened: OpenExport): OpenExport[] {
  return Array.from({ length: COMMANDS_END }, (_, command) => {
    return opened.route?.(command) ?? opened;
  });
}
