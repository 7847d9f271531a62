// SPDX-License-Identifier: MIT
// Makes disks with tables of partitions for tests; written by itself, from the same specifications.

const SECTOR = 512;

/** A disk of random bytes with an MBR, and where its logical partitions are. */
export interface MbrDisk {
  disk: Uint8Array<ArrayBuffer>;
  /** First sector and number of sectors of the logical partitions. */
  logical: [number, number][];
  /** Sectors of the tables in the chain. */
  links: number[];
}

/** Bytes that tell every place from every other. */
function noise(length: number): Uint8Array<ArrayBuffer> {
  const words = Uint32Array.from(
    { length: Math.ceil(length / 4) },
    (_, i) => Math.imul(i + 1, 2654435761),
  );
  return new Uint8Array(words.buffer).slice(0, length);
}

function writeEntry(view: DataView, at: number, type: number, first: number, count: number): void {
  view.setUint8(at + 4, type);
  view.setUint32(at + 8, first, true);
  view.setUint32(at + 12, count, true);
}

function writeRecord(view: DataView, sector: number): number {
  const at = sector * SECTOR;
  for (let i = 446; i < 510; i++) view.setUint8(at + i, 0);
  view.setUint16(at + 510, 0x55aa);
  return at + 446;
}

/**
 * A disk of `sectors` with primary partitions [first, count, type] and, in the extended one among them,
 * logical ones [sectors between the table and it, count].
 */
export function mbrDisk(
  sectors: number,
  primary: readonly (readonly [number, number, number?])[],
  logical: readonly (readonly [number, number])[],
): MbrDisk {
  const disk = noise(sectors * SECTOR);
  const view = new DataView(disk.buffer);
  const entries = writeRecord(view, 0);
  primary.forEach(([first, count, type], i) =>
    writeEntry(view, entries + 16 * i, type ?? 0x83, first, count)
  );
  const result: MbrDisk = { disk, logical: [], links: [] };
  const extended = primary.find(([, , type]) => type !== undefined)?.[0] ?? 0;
  let link = extended;
  logical.forEach(([gap, count], i) => {
    const at = writeRecord(view, link);
    result.links.push(link);
    result.logical.push([link + gap, count]);
    writeEntry(view, at, 0x83, gap, count);
    const next = link + gap + count;
    if (i < logical.length - 1) writeEntry(view, at + 16, 0x05, next - extended, 1);
    link = next;
  });
  return result;
}

/** Departures from a good GPT. */
export interface GptOptions {
  sector?: number;
  headerBytes?: number;
  entryBytes?: number;
  entryCount?: number;
  entriesAt?: bigint;
  ownAt?: bigint;
  /** First and last sectors in place of those of the partitions. */
  places?: [bigint, bigint][];
}

/** A disk of random bytes of `sectors` with a GPT whose partitions are [first, count]. */
export function gptDisk(
  sectors: number,
  partitions: readonly ([number, number] | null)[],
  options: GptOptions = {},
): Uint8Array<ArrayBuffer> {
  const { sector = SECTOR } = options;
  const disk = noise(sectors * sector);
  writeEntry(
    new DataView(disk.buffer),
    writeRecord(new DataView(disk.buffer), 0),
    0xee,
    1,
    sectors - 1,
  );
  const stride = options.entryBytes === 256 ? 256 : 128;
  const entries = new Uint8Array(128 * stride);
  const view = new DataView(entries.buffer);
  partitions.forEach((partition, i) => {
    if (partition === null) return;
    entries.fill(i + 1, i * stride, i * stride + 32);
    const [first, last] = options.places?.[i] ??
      [BigInt(partition[0]), BigInt(partition[0] + partition[1] - 1)];
    view.setBigUint64(i * stride + 32, first, true);
    view.setBigUint64(i * stride + 40, last, true);
  });
  const length = Math.ceil(entries.length / sector);
  writeHeader(disk, entries, { own: 1, other: sectors - 1, at: 2, ...options, sector });
  writeHeader(disk, entries, {
    own: sectors - 1,
    other: 1,
    at: sectors - 1 - length,
    ...options,
    sector,
  });
  return disk;
}

function writeHeader(
  disk: Uint8Array,
  entries: Uint8Array<ArrayBuffer>,
  options: GptOptions & { sector: number; own: number; other: number; at: number },
): void {
  const { sector, own, other, at } = options;
  disk.set(entries, at * sector);
  const header = disk.subarray(own * sector, (own + 1) * sector);
  header.fill(0);
  header.set(new TextEncoder().encode("EFI PART"));
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  view.setUint32(8, 0x10000, true);
  const bytes = options.headerBytes ?? 92;
  view.setUint32(12, bytes, true);
  view.setBigUint64(24, options.ownAt ?? BigInt(own), true);
  view.setBigUint64(32, BigInt(other), true);
  view.setBigUint64(72, options.entriesAt ?? BigInt(at), true);
  view.setUint32(80, options.entryCount ?? 128, true);
  view.setUint32(84, options.entryBytes ?? 128, true);
  view.setUint32(88, crc32(entries), true);
  view.setUint32(16, crc32(header.subarray(0, bytes)), true);
}

/** CRC-32 of IEEE 802.3, bit by bit from the other end than the filter does it. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    for (let bit = 0; bit < 8; bit++) {
      const low = (crc ^ (byte >>> bit)) & 1;
      crc = (crc >>> 1) ^ (low === 1 ? 0xedb88320 : 0);
    }
  }
  return ~crc >>> 0;
}
