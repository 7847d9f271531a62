// SPDX-License-Identifier: MIT
// Generic netlink (Documentation/userspace-api/netlink/intro.rst): one request, one answer, by families
// that are known by name. Fields are in the byte order of the processor.

import { Buffer } from "node:buffer";
import { closeDescriptor } from "./descriptor.ts";
import { check, SystemError } from "./errno.ts";
import { lateLibc, libc } from "./libc.ts";

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_GENERIC = 16;
const ADDRESS = new Uint8Array([AF_NETLINK, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

const NLM_F_REQUEST_ACK = 0x1 | 0x4;
const NLMSG_ERROR = 2;
const HEADER_BYTES = 16;
const GENERIC_HEADER_BYTES = 4;
const ATTRIBUTE_HEADER_BYTES = 4;
const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;
const ANSWER_BYTES_MAX = 65536;

const GENL_ID_CTRL = 16;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;
const CTRL_ATTR_MCAST_GROUPS = 7;
const CTRL_ATTR_MCAST_GRP_NAME = 1;
const CTRL_ATTR_MCAST_GRP_ID = 2;

const ENOENT = 2;

/** Attributes of a message by type; of several of one type the last. */
export type Attributes = Map<number, Uint8Array<ArrayBuffer>>;

/** A 32-bit attribute. */
export function attributeU32(type: number, value: number): Uint8Array<ArrayBuffer> {
  return attribute(type, new Uint8Array(new Uint32Array([value]).buffer));
}

/** A 64-bit attribute. */
export function attributeU64(type: number, value: bigint): Uint8Array<ArrayBuffer> {
  return attribute(type, new Uint8Array(new BigUint64Array([value]).buffer));
}

/** A text, with the NUL at its end. */
export function attributeText(type: number, text: string): Uint8Array<ArrayBuffer> {
  return attribute(type, new TextEncoder().encode(`${text}\0`));
}

/** Attributes within an attribute. */
export function attributeNest(
  type: number,
  ...inner: readonly Uint8Array[]
): Uint8Array<ArrayBuffer> {
  return attribute(type | NLA_F_NESTED, Buffer.concat(inner));
}

/** The attributes in `bytes`. What is cut off is left out. */
export function parseAttributes(bytes: Uint8Array<ArrayBuffer>): Attributes {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const found: Attributes = new Map();
  for (let at = 0; at + ATTRIBUTE_HEADER_BYTES <= bytes.length;) {
    const length = view.getUint16(at, true);
    if (length < ATTRIBUTE_HEADER_BYTES || at + length > bytes.length) break;
    const value = bytes.subarray(at + ATTRIBUTE_HEADER_BYTES, at + length);
    found.set(view.getUint16(at + 2, true) & NLA_TYPE_MASK, value);
    at += aligned(length);
  }
  return found;
}

/** The value of a 32-bit attribute; undefined where there is none. */
export function u32Of(attributes: Attributes, type: number): number | undefined {
  const value = attributes.get(type);
  if (value === undefined || value.length < 4) return undefined;
  return new DataView(value.buffer, value.byteOffset).getUint32(0, true);
}

/** A generic netlink socket and one family. For `using`. */
export class GenericNetlink implements Disposable {
  readonly #fd: number;
  readonly #family: number;
  readonly #groups: Attributes;
  readonly #version: number;
  #sequence = 0;

  /** Throws SystemError; with ENOENT where the kernel has no such family. */
  constructor(family: string, version: number) {
    this.#version = version;
    const what = "open a netlink socket";
    this.#fd = check(lateLibc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_GENERIC), what);
    try {
      check(lateLibc.bind(this.#fd, ADDRESS, ADDRESS.length), what);
      [this.#family, this.#groups] = this.#lookUp(family);
    } catch (error) {
      closeDescriptor(this.#fd);
      throw error;
    }
  }

  /**
   * Sends a command and waits for what comes of it: the attributes of the answer, if there is one
   * besides the acknowledgement. Throws SystemError for `action`.
   */
  request(command: number, action: string, attributes: readonly Uint8Array[]): Attributes {
    return this.#exchange(this.#family, this.#version, command, action, attributes);
  }

  /** The id of a multicast group of the family. Throws SystemError. */
  group(name: string): number {
    for (const group of this.#groups.values()) {
      const attributes = parseAttributes(group);
      const called = new TextDecoder().decode(attributes.get(CTRL_ATTR_MCAST_GRP_NAME));
      const id = u32Of(attributes, CTRL_ATTR_MCAST_GRP_ID);
      if (called === `${name}\0` && id !== undefined) return id;
    }
    throw new SystemError(`find the netlink group "${name}"`, ENOENT);
  }

  [Symbol.dispose](): void {
    closeDescriptor(this.#fd);
  }

  #lookUp(name: string): [number, Attributes] {
    const action = `find the netlink family "${name}"`;
    const wanted = [attributeText(CTRL_ATTR_FAMILY_NAME, name)];
    const answer = this.#exchange(GENL_ID_CTRL, 1, CTRL_CMD_GETFAMILY, action, wanted);
    const id = answer.get(CTRL_ATTR_FAMILY_ID);
    if (id === undefined) throw new SystemError(action, ENOENT);
    const groups = parseAttributes(answer.get(CTRL_ATTR_MCAST_GROUPS) ?? new Uint8Array(0));
    return [new DataView(id.buffer, id.byteOffset).getUint16(0, true), groups];
  }

  #exchange(
    type: number,
    version: number,
    command: number,
    action: string,
    attributes: readonly Uint8Array[],
  ): Attributes {
    const sequence = ++this.#sequence;
    const message = encodeMessage(type, sequence, command, version, attributes);
    check(libc.write(this.#fd, message, message.length), action);
    let answer: Attributes = new Map();
    for (;;) {
      const buffer = new Uint8Array(ANSWER_BYTES_MAX);
      const length = check(libc.read(this.#fd, buffer, buffer.length), action);
      for (const part of messagesIn(buffer.subarray(0, length))) {
        if (part.sequence !== sequence) continue;
        if (part.type !== NLMSG_ERROR) {
          answer = parseAttributes(part.body.subarray(GENERIC_HEADER_BYTES));
          continue;
        }
        const errno = -new DataView(part.body.buffer, part.body.byteOffset).getInt32(0, true);
        if (errno !== 0) throw new SystemError(action, errno);
        return answer;
      }
    }
  }
}

function encodeMessage(
  type: number,
  sequence: number,
  command: number,
  version: number,
  attributes: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(HEADER_BYTES + GENERIC_HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint16(4, type, true);
  view.setUint16(6, NLM_F_REQUEST_ACK, true);
  view.setUint32(8, sequence, true);
  view.setUint8(16, command);
  view.setUint8(17, version);
  const message = Buffer.concat([header, ...attributes]);
  message.writeUInt32LE(message.length, 0);
  return message;
}

/** The messages in what one read has given: a command of generic netlink is the first byte of `body`. */
export function* messagesIn(bytes: Uint8Array<ArrayBuffer>) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const length = view.getUint32(at, true);
    if (length < HEADER_BYTES || at + length > bytes.length) return;
    yield {
      type: view.getUint16(at + 4, true),
      sequence: view.getUint32(at + 8, true),
      body: bytes.subarray(at + HEADER_BYTES, at + length),
    };
    at += aligned(length);
  }
}

function attribute(type: number, value: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(aligned(ATTRIBUTE_HEADER_BYTES + value.length));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, ATTRIBUTE_HEADER_BYTES + value.length, true);
  view.setUint16(2, type, true);
  bytes.set(value, ATTRIBUTE_HEADER_BYTES);
  return bytes;
}

function aligned(length: number): number {
  return (length + 3) & ~3;
}
