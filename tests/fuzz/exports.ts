// SPDX-License-Identifier: MIT
// The exports that fuzzed clients meet: small ones in memory, one of each kind, used over and over.

import { BlockError, Errno } from "../../core/block/errno.ts";
import { type ExportEntry, type ExportInfo, Support } from "../../core/block/export.ts";
import type { Request } from "../../core/block/request.ts";
import type { ExportDirectory } from "../../core/nbd/mod.ts";
import { exportInfo, ModelExport } from "../../core/nbd/testing/model_export.ts";
import type { Random } from "./random.ts";

const SIZE = 12_800;
const { Emulate, Native, None } = Support;

const INFOS: ExportInfo[] = [
  exportInfo(SIZE, { name: "disk", description: "ordinary" }),
  exportInfo(SIZE, {
    name: "blocks",
    blockSize: { minimum: 512, preferred: 4096, maximum: 4096 },
    rotational: true,
  }),
  exportInfo(SIZE, { name: "read only ü", readOnly: true }),
  exportInfo(1001, {
    name: "plain",
    can: {
      write: Native,
      flush: None,
      fua: None,
      trim: None,
      zero: Emulate,
      fastZero: None,
      cache: None,
      extents: None,
      multiConn: None,
      secureErase: None,
      ioctl: None,
    },
  }),
  exportInfo(0, { name: "empty" }),
];

const TEXTS = ["", "no\0", "x".repeat(5000), "€".repeat(2000), "\ud800"];

/** A pooled export. It can be told to answer wrongly. */
export class FuzzedExport extends ModelExport {
  #dirty = false;

  constructor(info: ExportInfo) {
    super(info);
    this.closed = true;
  }

  /** Opens it again with all of its contents zero. */
  reopen(): this {
    if (!this.closed) throw new Error(`Export "${this.info.name}" is open already`);
    this.closed = false;
    this.answer = null;
    if (this.#dirty) this.zero(0, this.info.sizeLow);
    this.#dirty = false;
    return this;
  }

  override submit(request: Request): number {
    this.#dirty = true;
    return super.submit(request);
  }

  /** From here on, answers are whatever comes to mind. */
  lie(random: Random): void {
    this.answer = (request) => {
      if (random.once(4)) return undefined;
      if (random.once(2)) request.errorText = random.pick(TEXTS);
      if (random.once(3)) return 1 + random.below(140);
      for (let pieces = random.below(6); pieces > 0; pieces--) addPiece(request, random);
      return 0;
    };
  }
}

function addPiece(request: Request, random: Random): void {
  const end = request.pieceCount === 0 ? 0 : endOf(request, request.pieceCount - 1);
  const at = random.once(9) ? random.below(5000) : random.once(9) ? end + random.below(64) : end;
  const rest = Math.max(0, request.lengthLow - at);
  const length = random.once(20) ? random.below(5000) : random.once(2) ? rest : random.below(rest);
  switch (random.below(4)) {
    case 0:
      return request.data(at, random.below(4096), Math.min(length, 4096), random.once(2));
    case 1:
      return request.zero(at, length, random.once(2));
    case 2:
      return request.fail(at, length, random.below(140));
    default:
      return request.extent(random.once(9) ? random.u32() : 0, length, random.below(5));
  }
}

function endOf(request: Request, index: number): number {
  return request.pieceAt(index) + request.pieceLength(index);
}

/** All exports, at most one of which a handshake has open at a time. */
export class FuzzedDirectory implements ExportDirectory {
  readonly #exports = new Map(INFOS.map((info) => [info.name, new FuzzedExport(info)]));
  readonly #entries = INFOS.map(({ name, description }) => ({ name, description }));

  list(): ExportEntry[] {
    return this.#entries;
  }

  defaultExport(): string | null {
    return "disk";
  }

  open(name: string): FuzzedExport {
    const found = this.#exports.get(name);
    if (found === undefined) throw new BlockError(Errno.ENOENT, `cannot open export "${name}"`);
    return found.reopen();
  }

  /** Throws Error if a connection left an export open. */
  assertClosed(): void {
    for (const [name, { closed }] of this.#exports) {
      if (!closed) throw new Error(`Export "${name}" was left open`);
    }
  }
}

/** Names that streams ask for. */
export const NAMES = ["", ...INFOS.map(({ name }) => name), "nope"];
