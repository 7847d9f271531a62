// SPDX-License-Identifier: MIT
// A queue of a ublk device with zones. The driver has data of such devices copied by the server, through
// /dev/ublkcN, since an append tells the kernel where it went in the place of a buffer's address.

import { Errno } from "../block/errno.ts";
import { Command } from "../block/request.ts";
import { conditionOfZone, typeOfZone, ZoneCommand } from "../block/zones.ts";
import type { Guard } from "../policy/guard.ts";
import { readAt, writeAt } from "../../native/file_data.ts";
import type { TagRequest } from "./tag_request.ts";
import { dataOffset, DESCRIPTOR_WORDS, OPERATION_MASK, UblkOperation } from "./ublk_abi.ts";
import { UblkQueue } from "./ublk_queue.ts";

const HIGH = 4294967296;
const SECTOR_BYTES = 512;
/** struct blk_zone (uapi/linux/blkzoned.h). */
const ZONE_BYTES = 64;

const COMMANDS: Readonly<Record<number, number>> = {
  [UblkOperation.ZoneOpen]: ZoneCommand.Open,
  [UblkOperation.ZoneClose]: ZoneCommand.Close,
  [UblkOperation.ZoneFinish]: ZoneCommand.Finish,
  [UblkOperation.ZoneAppend]: ZoneCommand.Append,
  [UblkOperation.ZoneReset]: ZoneCommand.Reset,
  [UblkOperation.ZoneResetAll]: ZoneCommand.Reset,
  [UblkOperation.ReportZones]: ZoneCommand.Report,
};

/** See the top of this file. */
export class ZonedUblkQueue extends UblkQueue {
  /** What the kernel is told beside the result: the sector that an append went to, otherwise nothing. */
  protected override addressFor(request: TagRequest): number {
    const isAppended = request.command === ZoneCommand.Append && request.pieceCount === 1;
    return isAppended ? request.pieceValue(0) / SECTOR_BYTES : 0;
  }

  protected override decode(request: TagRequest): number {
    if (super.decode(request) !== 0) {
      const errno = this.#decodeZones(request);
      if (errno !== 0) return errno;
    }
    const { command } = request;
    if (command !== Command.Write && command !== ZoneCommand.Append) return 0;
    const { tag, address, lengthLow } = request;
    const at = dataOffset(this.queue, tag);
    return readAt(this.fd, address, lengthLow, at / HIGH, at % HIGH, 0) === lengthLow
      ? 0
      : Errno.EIO;
  }

  /** What is asked about zones, by ranges of whole zones. */
  #decodeZones(request: TagRequest): number {
    const { zones, sizeHigh, sizeLow } = this.opened.info;
    const words = this.descriptors;
    const at = request.tag * DESCRIPTOR_WORDS;
    const operation = words[at]! & OPERATION_MASK;
    const command = COMMANDS[operation];
    if (command === undefined || zones === undefined) return Errno.EOPNOTSUPP;
    request.command = command;
    if (command === ZoneCommand.Append) {
      request.payload = request.address;
      return 0;
    }
    const size = sizeHigh * HIGH + sizeLow;
    if (operation === UblkOperation.ZoneResetAll) {
      request.offsetHigh = 0;
      request.offsetLow = 0;
      setLength(request, size);
    } else if (command === ZoneCommand.Report) {
      const most = Math.floor(request.block.size / ZONE_BYTES);
      const left = Math.max(0, size - request.offset);
      setLength(request, Math.min(Math.min(words[at + 1]!, most) * zones.size, left));
    } else setLength(request, zones.size);
    return 0;
  }

  /** A policy knows writes and trims: an append may write anywhere in its zone, a reset forgets all of it. */
  protected override judge(guard: Guard, request: TagRequest): number {
    const { command, lengthHigh, lengthLow } = request;
    if (command < ZoneCommand.Report) return guard.check(request);
    const changes = command === ZoneCommand.Append || command === ZoneCommand.Finish ||
      command === ZoneCommand.Reset;
    if (!changes) return 0;
    request.command = command === ZoneCommand.Reset ? Command.Trim : Command.Write;
    if (command === ZoneCommand.Append) setLength(request, this.opened.info.zones!.size);
    const verdict = guard.check(request);
    request.command = command;
    request.lengthHigh = lengthHigh;
    request.lengthLow = lengthLow;
    return verdict;
  }

  protected override deliver(request: TagRequest): number {
    const { command } = request;
    if (command === ZoneCommand.Append) return request.lengthLow;
    if (command === ZoneCommand.Report) return this.#deliverZones(request);
    const result = super.deliver(request);
    if (command !== Command.Read || result < 0) return result;
    return this.#give(request, result) === result ? result : -Errno.EIO;
  }

  /** A report as Linux has it. An entry without a length says that there are no more. */
  #deliverZones(request: TagRequest): number {
    const { address, pieceCount, offset } = request;
    const { size } = this.opened.info.zones!;
    const { memory } = request;
    const asked = request.length / size;
    const bytes = asked * ZONE_BYTES;
    const start = address - memory.address;
    memory.bytes.fill(0, start, start + bytes);
    const view = new DataView(memory.bytes.buffer, start, bytes);
    for (let i = 0; i < pieceCount; i++) {
      const at = i * ZONE_BYTES;
      const from = offset + i * size;
      const state = request.pieceValue(i);
      setSectors(view, at, from);
      setSectors(view, at + 8, size);
      setSectors(view, at + 16, from + request.pieceLength(i));
      view.setUint8(at + 24, typeOfZone(state));
      view.setUint8(at + 25, conditionOfZone(state));
      setSectors(view, at + 32, request.pieceAt(i));
    }
    return this.#give(request, bytes) < 0 ? -Errno.EIO : bytes;
  }

  /** Copies `length` bytes of the tag's buffer to the request; how many, or a negative errno. */
  #give({ tag, address }: TagRequest, length: number): number {
    const at = dataOffset(this.queue, tag);
    return writeAt(this.fd, address, length, at / HIGH, at % HIGH, 0);
  }
}

function setLength(request: TagRequest, length: number): void {
  request.lengthHigh = Math.floor(length / HIGH);
  request.lengthLow = length % HIGH;
}

/** A number of bytes as sectors, in 64 bits. */
function setSectors(view: DataView, at: number, bytes: number): void {
  const sectors = bytes / SECTOR_BYTES;
  view.setUint32(at, sectors % HIGH, true);
  view.setUint32(at + 4, Math.floor(sectors / HIGH), true);
}
