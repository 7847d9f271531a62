// SPDX-License-Identifier: MIT
// A request that the kernel makes again and again under one number, with room for its data in the
// device's own memory, and how an answer gets there.

import { copyFrom, type PayloadMemory } from "../block/memory.ts";
import { BlockError, Errno } from "../block/errno.ts";
import { Piece, type ReplySpace, type Request } from "../block/request.ts";
import type { Block } from "../reactor/buffer_pool.ts";
import type { DeviceContext } from "../reactor/device_context.ts";
import { InflightRequest } from "../reactor/inflight_request.ts";
import type { ReplyArena } from "../reactor/reply_arena.ts";

/** See the top of this file. */
export class TagRequest extends InflightRequest implements ReplySpace {
  constructor(
    readonly tag: number,
    readonly block: Block,
    readonly address: number,
    readonly arena: ReplyArena,
  ) {
    super();
    this.space = this;
  }

  get memory(): PayloadMemory {
    return this.arena.memory;
  }

  /** The whole answer goes where the kernel takes it from; parts of it are brought there later. */
  take(request: Request, length: number): number {
    return length === this.length ? this.address : this.arena.take(request, length);
  }
}

/** Makes the request of a tag, with room for `bytes` in a block of its own. Throws BlockError. */
export function reserveTag(context: DeviceContext, tag: number, bytes: number): TagRequest {
  return reserveTags(context, 1, bytes, tag)[0]!;
}

/**
 * Makes the requests of `count` tags from `first` on, with room for `bytes` each in one block. Throws
 * BlockError.
 */
export function reserveTags(
  context: DeviceContext,
  count: number,
  bytes: number,
  first = 0,
): TagRequest[] {
  const { pool, arena, device } = context;
  const block = pool.take(count * bytes);
  if (block === null) {
    const requests = `${first + count} requests of ${bytes} bytes`;
    throw new BlockError(
      Errno.ENOMEM,
      `cannot reserve memory for ${requests}; use a smaller --depth`,
    );
  }
  const address = device.memory.address + block.pointer;
  return Array.from(
    { length: count },
    (_, i) => new TagRequest(first + i, block, address + i * bytes, arena),
  );
}

/** Brings the pieces of the answer to a read to where the kernel takes it from. 0, or a positive errno. */
export function placeAnswer(request: TagRequest): number {
  const { memory, address } = request;
  const start = address - memory.address;
  let at = 0;
  for (let i = 0; i < request.pieceCount; i++) {
    const kind = request.pieceKind(i);
    const length = request.pieceLength(i);
    if (kind === Piece.Error) return request.pieceValue(i);
    if (request.pieceAt(i) !== at || at + length > request.lengthLow) break;
    const from = request.pieceValue(i);
    if (kind === Piece.Zero || kind === Piece.Hole) {
      memory.bytes.fill(0, start + at, start + at + length);
    } else if (from !== address + at) copyWithin(memory, from, start + at, length);
    at += length;
  }
  if (at === request.lengthLow) return 0;
  request.errorText = "the answer to a read has gaps";
  return Errno.EIO;
}

/** Copies from an address in this process to a place in `memory`. */
function copyWithin(memory: PayloadMemory, from: number, to: number, length: number): void {
  const { bytes, address } = memory;
  const start = from - address;
  if (start >= 0 && start + length <= bytes.length) bytes.copyWithin(to, start, start + length);
  else copyFrom(from, bytes.subarray(to, to + length));
}
