// SPDX-License-Identifier: MIT
// The memory of a device in which the payloads of its requests lie: the linear memory of a plugin,
// or memory of the host's own for a backend. Sockets receive into it and send from it directly.
// Requests name places in it by their address in this process: `address` + pointer.

/** See the top of this file. Pointers are byte offsets from the start of the memory; 0 is "none". */
export interface PayloadMemory {
  /**
   * All of the memory. A call into a plugin may grow it, which replaces this object: read the field
   * again after every such call and do not keep it.
   */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The same memory as a view, replaced together with `bytes`. */
  readonly view: DataView<ArrayBuffer>;
  /** Address of byte 0 in this process (below 2^47, so exact). */
  readonly address: number;
  /** Reserves `length` bytes at a multiple of `alignment` (a power of two); 0 when none are left. */
  allocate(length: number, alignment: number): number;
  /** Gives back what `allocate` returned, with the same `length` and `alignment`. */
  free(pointer: number, length: number, alignment: number): void;
}

/** Copies the bytes at `address` in this process, whosever they are, to `target`. */
export function copyFrom(address: number, target: Uint8Array<ArrayBuffer>): void {
  new Deno.UnsafePointerView(Deno.UnsafePointer.create(BigInt(address))!).copyInto(target);
}
