// SPDX-License-Identifier: MIT
// An opened file as an export. What the page cache can do at once is done on the spot with one system
// call; the rest is queued (file_transfers.ts, file_syncs.ts, file_clearing.ts). This is the hot path.

import type { OpenExport } from "../block/device.ts";
import { Errno } from "../block/errno.ts";
import type { ExportInfo } from "../block/export.ts";
import { Command, type Request, RequestFlag, Status } from "../block/request.ts";
import { allocateAt, Falloc, readAt, Rwf, writeAt } from "../../native/file_data.ts";
import { FileClearing } from "./file_clearing.ts";
import { endedRead, failed, failedRead, outOfMemory } from "./file_errors.ts";
import { answerExtents, isInHole } from "./file_extents.ts";
import type { FileServices } from "./file_services.ts";
import { FileSyncs } from "./file_syncs.ts";
import type { FileTraits } from "./file_traits.ts";
import { FileTransfers } from "./file_transfers.ts";
import type { HostFile } from "./host_file.ts";

/** From this length on it pays to ask whether a read lies in a hole before reading zeroes. */
const HOLE_PROBE_BYTES = 32 * 1024;
/** Reads that go without asking after many that did in vain. */
const HOLE_PROBES_SKIPPED_MAX = 15;
/** Deallocating up to this much of a file in memory is done on the spot. */
const MEMORY_CLEAR_BYTES = 1024 * 1024;

/** See the top of this file. */
export class FileExport implements OpenExport {
  readonly #file: HostFile;
  readonly #fd: number;
  readonly #traits: FileTraits;
  readonly #services: FileServices;
  readonly #transfers: FileTransfers;
  readonly #syncs: FileSyncs;
  readonly #clearing: FileClearing;
  readonly #closed: () => void;
  #probesToSkip = 0;
  #probesInVain = 0;

  /** `closed` is called when the export is closed. */
  constructor(
    readonly info: ExportInfo,
    file: HostFile,
    traits: FileTraits,
    services: FileServices,
    closed: () => void,
  ) {
    this.#file = file;
    this.#fd = file.fd;
    this.#traits = traits;
    this.#services = services;
    this.#transfers = new FileTransfers(file, traits, services);
    this.#syncs = new FileSyncs(file, traits, services);
    this.#clearing = new FileClearing(file, traits, services);
    this.#closed = closed;
  }

  submit(request: Request): number {
    switch (request.command) {
      case Command.Read:
        return this.#read(request);
      case Command.Write:
        return this.#write(request);
      case Command.Flush:
        return this.#traits.inMemory ? Status.Done : this.#syncs.flush(request);
      case Command.Trim:
        return this.#clear(request, Falloc.Punch) ? Status.Done : this.#clearing.trim(request);
      case Command.WriteZeroes:
        return this.#zero(request);
      case Command.Cache:
        return this.#cache(request);
      case Command.BlockStatus:
        return answerExtents(request, this.#fd, this.#traits.known);
      case Command.SecureErase:
        return this.#clearing.erase(request);
      case Command.Ioctl:
        return Errno.ENOTTY;
      default:
        return Errno.EINVAL;
    }
  }

  close(): void {
    this.#closed();
  }

  #read(request: Request): number {
    const length = request.lengthLow;
    if (length >= HOLE_PROBE_BYTES && this.#isInHole(request)) {
      request.zero(0, length, true);
      return Status.Done;
    }
    if (length === 0) return Status.Done;
    const address = request.space.take(request, length);
    if (address === 0) return outOfMemory(request);
    const file = this.#file;
    if (file.directFd >= 0 && file.isAligned(request.offsetLow, length)) {
      return this.#transfers.read(request, address, 0, file.directFd);
    }
    const traits = this.#traits;
    if (traits.nowaitReads) {
      const count = this.#readAt(request, address, Rwf.Nowait);
      if (count === length) {
        request.data(0, address, length, false);
        return Status.Done;
      }
      if (count !== -Errno.EOPNOTSUPP) return this.#readOn(request, address, count);
      traits.nowaitReads = false;
    }
    if (traits.inMemory) return this.#readOn(request, address, this.#readAt(request, address, 0));
    if (!traits.mayCall()) return this.#transfers.read(request, address, 0, this.#fd);
    const count = this.#readAt(request, address, 0);
    traits.called();
    return this.#readOn(request, address, count);
  }

  #readAt(request: Request, address: number, flags: number): number {
    const { offsetHigh, offsetLow, lengthLow } = request;
    return readAt(this.#fd, address, lengthLow, offsetHigh, offsetLow, flags);
  }

  /** Goes on after a read on the spot has returned `count`. */
  #readOn(request: Request, address: number, count: number): number {
    if (count === request.lengthLow) {
      request.data(0, address, count, false);
      return Status.Done;
    }
    if (count > 0) return this.#transfers.read(request, address, count, this.#fd);
    if (count === -Errno.EAGAIN || count === -Errno.EINTR) {
      return this.#transfers.read(request, address, 0, this.#fd);
    }
    return count === 0
      ? endedRead(this.#services, this.#file, request, address, 0)
      : failedRead(this.#services, this.#file, request, address, 0, -count);
  }

  #write(request: Request): number {
    const length = request.lengthLow;
    if (length === 0) return Status.Done;
    const file = this.#file;
    const traits = this.#traits;
    if (file.directFd >= 0 && file.isAligned(request.offsetLow, length)) {
      return this.#transfers.write(request, 0, file.directFd);
    }
    if (traits.inMemory) return this.#writeOn(request, this.#writeAt(request, 0));
    if (traits.locking > 0) return this.#transfers.write(request, 0, this.#fd);
    if (traits.nowaitWrites) {
      const count = this.#writeAt(request, Rwf.Nowait);
      if (count === length) return this.#written(request);
      if (count === -Errno.EOPNOTSUPP) traits.nowaitWrites = false;
      // Most often because blocks have to be allocated, which is no reason to queue it.
      else if (count !== -Errno.EAGAIN) return this.#writeOn(request, count);
    }
    if (!traits.mayCall()) return this.#transfers.write(request, 0, this.#fd);
    const count = this.#writeAt(request, 0);
    traits.called();
    return count === length ? this.#written(request) : this.#writeOn(request, count);
  }

  /** The page cache has taken all of a write. */
  #written(request: Request): number {
    if ((request.flags & RequestFlag.Fua) === 0 || this.#traits.inMemory) return Status.Done;
    return this.#syncs.persist(request);
  }

  #writeAt(request: Request, flags: number): number {
    const { offsetHigh, offsetLow, lengthLow, payload } = request;
    return writeAt(this.#fd, payload, lengthLow, offsetHigh, offsetLow, flags);
  }

  /** Goes on after a write on the spot has returned `count`. */
  #writeOn(request: Request, count: number): number {
    if (count === request.lengthLow) return this.#written(request);
    if (count >= 0) return this.#transfers.write(request, count, this.#fd);
    if (count === -Errno.EAGAIN || count === -Errno.EINTR) {
      return this.#transfers.write(request, 0, this.#fd);
    }
    return failed(this.#services, this.#file, request, "write", -count);
  }

  #zero(request: Request): number {
    const mode = (request.flags & RequestFlag.NoHole) === 0 ? Falloc.Punch : Falloc.Zero;
    return this.#clear(request, mode) ? Status.Done : this.#clearing.zero(request);
  }

  /** Whether the range was deallocated or zeroed on the spot, which a short one in memory is. */
  #clear(request: Request, mode: number): boolean {
    const { lengthHigh, lengthLow } = request;
    if (lengthHigh === 0 && lengthLow === 0) return true;
    const traits = this.#traits;
    if (!traits.inMemory || lengthHigh !== 0 || lengthLow > MEMORY_CLEAR_BYTES) return false;
    traits.known.forget();
    const { offsetHigh, offsetLow } = request;
    return allocateAt(this.#fd, mode, offsetHigh, offsetLow, lengthHigh, lengthLow) === 0;
  }

  #cache(request: Request): number {
    if (this.#traits.inMemory || (request.lengthHigh === 0 && request.lengthLow === 0)) {
      return Status.Done;
    }
    return this.#syncs.cache(request);
  }

  /** Whether the request lies in a hole. Asks less often the more often it does not. */
  #isInHole(request: Request): boolean {
    if (this.#probesToSkip > 0) {
      this.#probesToSkip--;
      return false;
    }
    if (!this.#file.isBlockDevice && isInHole(request, this.#fd)) {
      this.#probesInVain = 0;
      return true;
    }
    this.#probesInVain = Math.min(this.#probesInVain * 2 + 1, HOLE_PROBES_SKIPPED_MAX);
    this.#probesToSkip = this.#probesInVain;
    return false;
  }
}
