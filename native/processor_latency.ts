// SPDX-License-Identifier: MIT
// Asks the kernel to keep processors from sleeping deeply (PM QoS, /dev/cpu_dma_latency): holds for
// as long as the file is open. Waking a processor that sleeps takes longer than a small request, in
// a virtual machine several times as long.

const PATH = "/dev/cpu_dma_latency";

/** A request for the shortest wake-up that can be had; see the top of this file. */
export class ProcessorLatency {
  #file: Deno.FsFile | null = null;
  #refused = false;

  get held(): boolean {
    return this.#file !== null;
  }

  /** Begins to hold. Without the right to do so (usually root's), nothing happens. */
  hold(): void {
    if (this.#refused || this.#file !== null) return;
    try {
      this.#file = Deno.openSync(PATH, { write: true });
      // A latency of 0 microseconds, as a 32-bit number.
      this.#file.writeSync(new Uint8Array(4));
    } catch {
      this.#refused = true;
      this.release();
    }
  }

  /** Lets processors sleep again. */
  release(): void {
    this.#file?.close();
    this.#file = null;
  }
}
