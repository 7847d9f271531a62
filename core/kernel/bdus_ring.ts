// SPDX-License-Identifier: MIT
// The ring of a queue of a BDUS device: what the kernel wants done, and what came of it, in memory that
// both see. This is a hot path.

import { Errno } from "../block/errno.ts";
import { ioctlWith } from "../../native/ioctl.ts";
import { type Mapping, mapShared, PAGE_BYTES, unmap } from "../../native/mmap.ts";
import { BdusRequest } from "./bdus_abi.ts";
import {
  COMPLETION_WORDS,
  ITEM_WORDS,
  RingCompletion,
  RingHeader,
  RingItem,
  type RingLayout,
  ringLayout,
  RingRequest,
} from "./bdus_ring_abi.ts";

const HIGH = 4294967296;

/** See the top of this file. */
export class BdusRing {
  readonly #fd: number;
  readonly #layout: RingLayout;
  readonly #mapping: Mapping;
  readonly #words: Uint32Array;
  /** The header, as numbers that wrap around. */
  readonly #header: Int32Array;
  #head = 0;
  #tail = 0;
  #completed = 0;
  #handed = 0;

  /** `fd`: file of the queue. Throws SystemError. */
  constructor(fd: number, depth: number) {
    this.#fd = fd;
    this.#layout = ringLayout(depth);
    const bytes = Math.ceil(this.#layout.bytes / PAGE_BYTES) * PAGE_BYTES;
    this.#mapping = mapShared(fd, 0, bytes);
    this.#words = new Uint32Array(this.#mapping.bytes.buffer);
    this.#header = new Int32Array(this.#mapping.bytes.buffer, 0, ITEM_WORDS * 4);
  }

  /** Bits of RingState. */
  get state(): number {
    return Atomics.load(this.#header, RingHeader.State);
  }

  /** Whether the kernel has something to take or to give. */
  get wantsEnter(): boolean {
    return this.#completed !== this.#handed ||
      Atomics.load(this.#header, RingHeader.Pending) !== 0;
  }

  /** Says where the kernel puts what comes with requests of a tag. */
  setPayload(tag: number, address: number): void {
    const at = this.#layout.payloads + tag * 2;
    this.#words[at] = address;
    this.#words[at + 1] = address / HIGH;
  }

  /** Takes the next item: its tag, or -1 when there is none. */
  take(): number {
    if (this.#head === this.#tail) {
      this.#tail = Atomics.load(this.#header, RingHeader.SqTail);
      if (this.#head === this.#tail) return -1;
    }
    const { submissions, entries } = this.#layout;
    const tag = this.#words[submissions + (this.#head & entries - 1)]!;
    this.#head = this.#head + 1 | 0;
    // The kernel looks at it only in system calls, which order it.
    this.#header[RingHeader.SqHead] = this.#head;
    return tag;
  }

  /** What an item asks for; one of BdusItem. */
  type(tag: number): number {
    return this.#words[this.#item(tag) + RingItem.Type]!;
  }

  length(tag: number): number {
    return this.#words[this.#item(tag) + RingItem.Argument]!;
  }

  offsetLow(tag: number): number {
    return this.#words[this.#item(tag) + RingItem.OffsetLow]!;
  }

  offsetHigh(tag: number): number {
    return this.#words[this.#item(tag) + RingItem.OffsetHigh]!;
  }

  /** Gives a tag back with an errno. What was read stays at `address` until `enter`. */
  complete(tag: number, errno: number, address: number): void {
    const { completions, entries } = this.#layout;
    const at = completions + (this.#completed & entries - 1) * COMPLETION_WORDS;
    const words = this.#words;
    words[at + RingCompletion.Tag] = tag;
    words[at + RingCompletion.Error] = errno;
    words[at + RingCompletion.PayloadLow] = address;
    words[at + RingCompletion.PayloadHigh] = address / HIGH;
    this.#completed = this.#completed + 1 | 0;
  }

  /** Has the kernel take completions and submit what is pending. Negative: -errno. */
  enter(): number {
    Atomics.store(this.#header, RingHeader.CqTail, this.#completed);
    this.#handed = this.#completed;
    for (;;) {
      const status = ioctlWith(this.#fd, RingRequest.Enter, 0);
      if (status !== -Errno.EINTR) return status;
    }
  }

  /** Says that this driver ends as it should. */
  markAsSuccessful(): void {
    ioctlWith(this.#fd, BdusRequest.MarkAsSuccessful, 0);
  }

  unmap(): void {
    unmap(this.#mapping);
  }

  #item(tag: number): number {
    return this.#layout.items + tag * ITEM_WORDS;
  }
}
