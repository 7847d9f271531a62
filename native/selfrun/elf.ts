// SPDX-License-Identifier: MIT
// The little that the packer has to know of an ELF executable (System V ABI, x86-64 psABI):
// program headers, the end of its memory image, and the GOT slot through which it reaches `environ`.

const MAGIC = 0x464c457f; // "\x7fELF", little-endian
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const TYPE_DYNAMIC = 3;
const MACHINE_X86_64 = 62;

const HEADER_BYTES = 64;
const HEADER_TYPE = 16;
const HEADER_MACHINE = 18;
const HEADER_ENTRY = 24;
const HEADER_PROGRAM_HEADERS = 32;
const HEADER_SEGMENT_COUNT = 56;
const PROGRAM_HEADER_BYTES = 56;

export const SegmentType = { Load: 1, Dynamic: 2, Interpreter: 3, Note: 4 } as const;
export const SegmentFlag = { Execute: 1, Write: 2, Read: 4 } as const;

/** Tags of the dynamic section that lead to relocations and symbol names. */
const DynamicTag = { Strings: 5, Symbols: 6, Relocations: 7, RelocationsBytes: 8 } as const;
const DYNAMIC_ENTRY_BYTES = 16;
const SYMBOL_BYTES = 24;
const RELOCATION_BYTES = 24;
const R_X86_64_GLOB_DAT = 6;

/** One program header. Addresses are relative to the load address; all in bytes. */
export interface Segment {
  type: number;
  flags: number;
  offset: number;
  address: number;
  fileBytes: number;
  memoryBytes: number;
  align: number;
}

/** A position-independent, dynamically linked x86-64 executable. */
export class ElfExecutable {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  readonly segments: Segment[];
  /** File offset of the first program header. */
  readonly segmentsOffset: number;

  /** Throws TypeError that says what `bytes` is not. */
  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < HEADER_BYTES || this.view.getUint32(0, true) !== MAGIC) {
      throw new TypeError("it is not an ELF file");
    }
    if (
      bytes[4] !== CLASS_64 || bytes[5] !== LITTLE_ENDIAN ||
      this.#u16(HEADER_MACHINE) !== MACHINE_X86_64
    ) {
      throw new TypeError("it is not built for x86-64");
    }
    this.segmentsOffset = this.#u64(HEADER_PROGRAM_HEADERS);
    if (
      this.segmentsOffset + this.#u16(HEADER_SEGMENT_COUNT) * PROGRAM_HEADER_BYTES > bytes.length
    ) {
      throw new TypeError("its program headers are cut off");
    }
    this.segments = Array.from(
      { length: this.#u16(HEADER_SEGMENT_COUNT) },
      (_, index) => this.#segment(index),
    );
    const dynamic = this.segments.some((segment) => segment.type === SegmentType.Interpreter);
    if (this.#u16(HEADER_TYPE) !== TYPE_DYNAMIC || !dynamic) {
      throw new TypeError("it is not a position-independent, dynamically linked executable");
    }
  }

  /** Address at which the program starts. */
  get entry(): number {
    return this.#u64(HEADER_ENTRY);
  }

  set entry(address: number) {
    this.view.setBigUint64(HEADER_ENTRY, BigInt(address), true);
  }

  /** First address behind everything that is loaded. */
  get imageEnd(): number {
    const loads = this.segments.filter((segment) => segment.type === SegmentType.Load);
    return Math.max(...loads.map((segment) => segment.address + segment.memoryBytes));
  }

  /** Replaces the program headers by as many others. */
  writeSegments(segments: Segment[]): void {
    if (segments.length !== this.segments.length) throw new RangeError("not as many segments");
    segments.forEach((segment, index) => {
      const at = this.segmentsOffset + index * PROGRAM_HEADER_BYTES;
      this.view.setUint32(at, segment.type, true);
      this.view.setUint32(at + 4, segment.flags, true);
      const { offset, address, fileBytes, memoryBytes, align } = segment;
      [offset, address, address, fileBytes, memoryBytes, align].forEach((value, field) =>
        this.view.setBigUint64(at + 8 + field * 8, BigInt(value), true)
      );
    });
  }

  /** Address of the GOT slot that ld.so fills with the address of `name`; null if there is none. */
  globalSlot(name: string): number | null {
    const table = this.#dynamicTable();
    const strings = this.#fileOffset(table.get(DynamicTag.Strings));
    const symbols = this.#fileOffset(table.get(DynamicTag.Symbols));
    const first = this.#fileOffset(table.get(DynamicTag.Relocations));
    const end = first + (table.get(DynamicTag.RelocationsBytes) ?? 0);
    for (let at = first; at < end; at += RELOCATION_BYTES) {
      if (this.view.getUint32(at + 8, true) !== R_X86_64_GLOB_DAT) continue;
      const symbol = symbols + SYMBOL_BYTES * this.view.getUint32(at + 12, true);
      if (this.#textEquals(strings + this.view.getUint32(symbol, true), name)) return this.#u64(at);
    }
    return null;
  }

  #dynamicTable(): Map<number, number> {
    const table = new Map<number, number>();
    const dynamic = this.segments.find((segment) => segment.type === SegmentType.Dynamic);
    if (dynamic === undefined) return table;
    const end = dynamic.offset + dynamic.fileBytes;
    for (let at = dynamic.offset; at < end; at += DYNAMIC_ENTRY_BYTES) {
      table.set(this.#u64(at), this.#u64(at + 8));
    }
    return table;
  }

  #fileOffset(address: number | undefined): number {
    for (const { type, offset, address: start, fileBytes } of this.segments) {
      if (type !== SegmentType.Load || address === undefined) continue;
      if (address >= start && address < start + fileBytes) return offset + address - start;
    }
    throw new TypeError("its dynamic section is incomplete");
  }

  #segment(index: number): Segment {
    const at = this.segmentsOffset + index * PROGRAM_HEADER_BYTES;
    return {
      type: this.view.getUint32(at, true),
      flags: this.view.getUint32(at + 4, true),
      offset: this.#u64(at + 8),
      address: this.#u64(at + 16),
      fileBytes: this.#u64(at + 32),
      memoryBytes: this.#u64(at + 40),
      align: this.#u64(at + 48),
    };
  }

  #textEquals(at: number, text: string): boolean {
    for (let index = 0; index < text.length; index++) {
      if (this.bytes[at + index] !== text.charCodeAt(index)) return false;
    }
    return this.bytes[at + text.length] === 0;
  }

  #u16(at: number): number {
    return this.view.getUint16(at, true);
  }

  #u64(at: number): number {
    return Number(this.view.getBigUint64(at, true));
  }
}
