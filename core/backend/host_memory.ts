// SPDX-License-Identifier: MIT
// Payload memory of devices that have none of their own: a region of this process, handed out in
// whole pages. It is reserved once and takes real memory only where it is used.

import type { PayloadMemory } from "../block/memory.ts";
import { discardPages, type Mapping, PAGE_BYTES, reserve } from "../../native/mmap.ts";

/** Size of the region unless told otherwise. It bounds the payloads of one device on one reactor. */
export const HOST_MEMORY_BYTES_MAX = 256 * 1024 * 1024;

/** Free memory that stays resident, to be handed out again without page faults. */
const RETAINED_BYTES_MAX = 16 * 1024 * 1024;

/** Runs of free pages are listed by the logarithm of their length. */
const CLASSES = 32;
const NONE = 0;

/**
 * Regions of closed devices. They are used again rather than unmapped, because a view of unmapped
 * memory that somebody still held would crash the process.
 */
const retired = new Map<number, Mapping[]>();

/**
 * See the top of this file. Pages are named by number; page 0 is never handed out, so that pointer 0
 * can mean "none". A run of free pages carries its length at both ends, to be found by its neighbours.
 */
export class HostMemory implements PayloadMemory {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  readonly address: number;

  readonly #mapping: Mapping;
  readonly #pages: number;
  /** Length of the free run that begins or ends at a page; 0 everywhere else. */
  readonly #runs: Int32Array;
  /** Neighbours of a free run in the list of its class. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #lists = new Int32Array(CLASSES);
  /** 1 where a page may hold real memory. */
  readonly #touched: Uint8Array;
  /** Free pages that hold real memory. */
  #retainedPages = 0;
  #freePages = 0;

  /** `bytesMax`: size of the region, rounded up to whole pages. Throws SystemError. */
  constructor(bytesMax = HOST_MEMORY_BYTES_MAX) {
    this.#pages = Math.ceil(bytesMax / PAGE_BYTES);
    const bytes = this.#pages * PAGE_BYTES;
    this.#mapping = retired.get(bytes)?.pop() ?? reserve(bytes);
    this.bytes = this.#mapping.bytes;
    this.view = new DataView(this.bytes.buffer);
    this.address = this.#mapping.address;
    this.#runs = new Int32Array(this.#pages + 1);
    this.#next = new Int32Array(this.#pages);
    this.#previous = new Int32Array(this.#pages);
    this.#touched = new Uint8Array(this.#pages);
    if (this.#pages > 1) this.#link(1, this.#pages - 1);
  }

  /** Bytes that are not handed out. */
  get freeBytes(): number {
    return this.#freePages * PAGE_BYTES;
  }

  /** Bytes that are not handed out and yet hold real memory; bounded. */
  get retainedBytes(): number {
    return this.#retainedPages * PAGE_BYTES;
  }

  allocate(length: number, alignment: number): number {
    const pages = pagesOf(length);
    const step = alignment <= PAGE_BYTES ? 1 : alignment / PAGE_BYTES;
    const run = this.#find(pages + step - 1);
    if (run === NONE) return 0;
    const runPages = this.#runs[run]!;
    const start = Math.ceil(run / step) * step;
    this.#unlink(run);
    if (start > run) this.#link(run, start - run);
    const left = run + runPages - (start + pages);
    if (left > 0) this.#link(start + pages, left);
    this.#touch(start, pages);
    return start * PAGE_BYTES;
  }

  free(pointer: number, length: number, _alignment: number): void {
    let start = pointer / PAGE_BYTES;
    let pages = pagesOf(length);
    this.#retainedPages += pages;
    const after = start + pages;
    const runAfter = after < this.#pages ? this.#runs[after]! : 0;
    const runBefore = this.#runs[start - 1]!;
    if (runAfter > 0) this.#unlink(after);
    if (runBefore > 0) {
      start -= runBefore;
      this.#unlink(start);
      pages += runBefore;
    }
    pages += runAfter;
    if (this.#retainedPages * PAGE_BYTES > RETAINED_BYTES_MAX) this.#giveBack(start, pages);
    this.#link(start, pages);
  }

  /** Gives all of it back to the system. Nothing of it may be in use. */
  close(): void {
    discardPages(this.address, this.bytes.length);
    const size = this.bytes.length;
    const same = retired.get(size);
    if (same === undefined) retired.set(size, [this.#mapping]);
    else same.push(this.#mapping);
  }

  /** A free run of at least `pages`; NONE when there is none. */
  #find(pages: number): number {
    const first = classOf(pages);
    for (let run = this.#lists[first]!; run !== NONE; run = this.#next[run]!) {
      if (this.#runs[run]! >= pages) return run;
    }
    // Every run of a higher class is long enough.
    for (let index = first + 1; index < CLASSES; index++) {
      if (this.#lists[index] !== NONE) return this.#lists[index]!;
    }
    return NONE;
  }

  #link(start: number, pages: number): void {
    this.#runs[start] = pages;
    this.#runs[start + pages - 1] = pages;
    const index = classOf(pages);
    const head = this.#lists[index]!;
    this.#next[start] = head;
    this.#previous[start] = NONE;
    if (head !== NONE) this.#previous[head] = start;
    this.#lists[index] = start;
    this.#freePages += pages;
  }

  #unlink(start: number): void {
    const pages = this.#runs[start]!;
    this.#runs[start] = 0;
    this.#runs[start + pages - 1] = 0;
    const next = this.#next[start]!;
    const previous = this.#previous[start]!;
    if (next !== NONE) this.#previous[next] = previous;
    if (previous !== NONE) this.#next[previous] = next;
    else this.#lists[classOf(pages)] = next;
    this.#freePages -= pages;
  }

  /** Notes that pages are handed out: they will hold real memory, and no longer as free ones. */
  #touch(start: number, pages: number): void {
    const touched = this.#touched;
    for (let page = start; page < start + pages; page++) {
      this.#retainedPages -= touched[page]!;
      touched[page] = 1;
    }
  }

  #giveBack(start: number, pages: number): void {
    const touched = this.#touched;
    for (let page = start; page < start + pages; page++) {
      this.#retainedPages -= touched[page]!;
      touched[page] = 0;
    }
    discardPages(this.address + start * PAGE_BYTES, pages * PAGE_BYTES);
  }
}

function pagesOf(length: number): number {
  return length <= PAGE_BYTES ? 1 : Math.ceil(length / PAGE_BYTES);
}

function classOf(pages: number): number {
  return 31 - Math.clz32(pages);
}
