// SPDX-License-Identifier: MIT
// IP addresses and blocks of them (RFC 4291 2.2, RFC 4632): parse, write, compare. An IPv4 address
// that is written as IPv6 (::ffff:192.0.2.1) is the IPv4 address.

/** The addresses whose first `prefix` bits are those of `bytes` (4 or 16 of them). */
export interface AddressBlock {
  readonly bytes: readonly number[];
  readonly prefix: number;
}

const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
const MAPPED_BITS = 96;

/** The block that `text` is, an address being a block of one; null where it is none. */
export function parseBlock(text: string): AddressBlock | null {
  const match = /^([^/]*)(?:\/(0|[1-9][0-9]{0,2}))?$/.exec(text);
  if (!match) return null;
  const bytes = parseBytes(match[1]!);
  if (!bytes) return null;
  const prefix = match[2] === undefined ? bytes.length * 8 : Number(match[2]);
  if (prefix > bytes.length * 8) return null;
  return unmapped({ bytes, prefix });
}

/** Whether `block` begins with bits set behind its prefix, as 10.0.0.1/8 does. */
export function hasHostBits({ bytes, prefix }: AddressBlock): boolean {
  return bytes.some((byte, index) => (byte & ~maskOf(prefix, index)) !== 0);
}

/** Whether all of `inner` is in `outer`. */
export function contains(outer: AddressBlock, inner: AddressBlock): boolean {
  return outer.bytes.length === inner.bytes.length && outer.prefix <= inner.prefix &&
    outer.bytes.every((byte, i) => ((byte ^ inner.bytes[i]!) & maskOf(outer.prefix, i)) === 0);
}

/** `192.0.2.0/24`, `2001:db8:0:0:0:0:0:1`; without the prefix where it is one address. */
export function blockText({ bytes, prefix }: AddressBlock): string {
  const suffix = prefix === bytes.length * 8 ? "" : `/${prefix}`;
  if (bytes.length === 4) return bytes.join(".") + suffix;
  const groups = Array.from({ length: 8 }, (_, i) => bytes[2 * i]! * 256 + bytes[2 * i + 1]!);
  const text = groups.map((group) => group.toString(16)).join(":");
  return text.replace(/(^|:)0(:0)+(:|$)/, "::") + suffix;
}

function unmapped(block: AddressBlock): AddressBlock {
  const { bytes, prefix } = block;
  const mapped = bytes.length === 16 && prefix >= MAPPED_BITS &&
    MAPPED.every((byte, index) => bytes[index] === byte);
  return mapped ? { bytes: bytes.slice(12), prefix: prefix - MAPPED_BITS } : block;
}

/** The bits of byte `index` that belong to the first `prefix` bits. */
function maskOf(prefix: number, index: number): number {
  const bits = Math.min(8, Math.max(0, prefix - index * 8));
  return (0xff00 >> bits) & 0xff;
}

function parseBytes(text: string): number[] | null {
  if (!text.includes(":")) return parseIpv4(text);
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const [head, tail] = halves.map((half) => half === "" ? [] : parseGroups(half));
  if (!head) return null;
  if (halves.length === 1) return head.length === 16 ? head : null;
  if (!tail || head.length + tail.length > 14) return null;
  return [...head, ...new Array<number>(16 - head.length - tail.length).fill(0), ...tail];
}

function parseGroups(text: string): number[] | null {
  const bytes: number[] = [];
  const groups = text.split(":");
  for (const [index, group] of groups.entries()) {
    const ipv4 = index === groups.length - 1 ? parseIpv4(group) : null;
    if (ipv4) bytes.push(...ipv4);
    else if (/^[0-9a-f]{1,4}$/i.test(group)) {
      const value = parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    } else return null;
  }
  return bytes;
}

function parseIpv4(text: string): number[] | null {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part))) return null;
  const bytes = parts.map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : null;
}
