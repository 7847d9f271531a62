// SPDX-License-Identifier: MIT
// As much of node:events as commander inherits from. build.ts puts it in the place of that module,
// whose loading takes as long as the rest of the start of the command line.

type Listener = (...values: unknown[]) => void;

/** Calls listeners by the name of an event. */
export class EventEmitter {
  #listeners = new Map<string, Listener[]>();

  /** Adds a listener. */
  on(name: string, listener: Listener): this {
    this.#listeners.set(name, [...this.#listeners.get(name) ?? [], listener]);
    return this;
  }

  /** Calls the listeners of an event, in the order in which they were added. */
  emit(name: string, ...values: unknown[]): boolean {
    const listeners = this.#listeners.get(name) ?? [];
    for (const listener of listeners) listener.apply(this, values);
    return listeners.length > 0;
  }

  /** How many listeners an event has. */
  listenerCount(name: string): number {
    return this.#listeners.get(name)?.length ?? 0;
  }
}
