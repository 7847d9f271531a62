// SPDX-License-Identifier: MIT
// Where the files of the backend come from: one file, an inherited descriptor, or a directory whose
// files are exports.

import { BlockError, Errno } from "../block/errno.ts";
import type { ExportEntry } from "../block/export.ts";
import { closeDescriptor } from "../../native/descriptor.ts";
import { EntryType, readDirectory } from "../../native/directory.ts";
import {
  describeFile,
  type FileKind,
  makeBlocking,
  Open,
  openBeneath,
  openFile,
  openFlags,
  reopen,
} from "../../native/file.ts";
import { SystemError } from "../../native/errno.ts";
import { HostFile, wrongKind } from "./host_file.ts";

/** Exports that one listing names; a directory with more of them is cut there. */
export const LISTED_EXPORTS_MAX = 65536;
/** A file name on Linux is at most so long. */
const NAME_BYTES_MAX = 255;

/** How a file is to be opened. */
export interface FileMode {
  readOnly: boolean;
  direct: boolean;
}

/** See the top of this file. */
export interface FileSource {
  list(): ExportEntry[];
  /** What the empty export name stands for. */
  readonly defaultExport: string | null;
  /** Throws BlockError: ENOENT for a name that is none of an export. */
  open(name: string, mode: FileMode): HostFile;
  close(): void;
}

/** One file or block device by its path. */
export class PathSource implements FileSource {
  readonly defaultExport = "";
  readonly #path: string;

  /** Throws BlockError when `path` cannot be read or served, or not with direct I/O. */
  constructor(path: string, direct: boolean) {
    this.#path = path;
    this.open("", { readOnly: true, direct }).close();
  }

  list(): ExportEntry[] {
    return [{ name: "", description: this.#path.slice(this.#path.lastIndexOf("/") + 1) }];
  }

  open(name: string, mode: FileMode): HostFile {
    requireDefault(name);
    return openHostFile(`"${this.#path}"`, mode, (flags) => openFile(this.#path, flags));
  }

  close(): void {}
}

/** A file or block device that is open on an inherited descriptor. */
export class DescriptorSource implements FileSource {
  readonly defaultExport = "";
  readonly #fd: number;
  readonly #access: { readable: boolean; writable: boolean; direct: boolean };

  constructor(fd: number, direct: boolean) {
    this.#fd = fd;
    this.#access = openFlags(fd);
    if (!this.#access.readable) {
      throw new BlockError(
        Errno.EACCES,
        `cannot serve descriptor ${fd}: it is open for writing only`,
      );
    }
    this.open("", { readOnly: true, direct }).close();
  }

  list(): ExportEntry[] {
    return [{ name: "", description: "" }];
  }

  open(name: string, mode: FileMode): HostFile {
    requireDefault(name);
    const label = `descriptor ${this.#fd}`;
    if (!mode.readOnly && !this.#access.writable) throw readOnlyFile(label, Errno.EACCES);
    const direct = mode.direct || this.#access.direct;
    try {
      return openHostFile(label, { ...mode, direct }, (flags) => reopen(this.#fd, flags));
    } catch (error) {
      // Passed on by somebody who may open more than we may: then it is used as it is.
      if (direct || !(error instanceof SystemError)) throw error;
      makeBlocking(this.#fd);
      return new HostFile(label, this.#fd, -1, true);
    }
  }

  /** The descriptor stays open: it is its owner's. */
  close(): void {}
}

/** Every regular file and block device directly in a directory, under its file name. */
export class DirectorySource implements FileSource {
  /** None, even if there is one file only: a second one must not change what clients get. */
  readonly defaultExport = null;
  readonly #label: string;
  readonly #fd: number;
  readonly #owned: boolean;

  /** `fd`: an open directory, closed by `close` if `owned`. */
  constructor(label: string, fd: number, owned: boolean) {
    this.#label = label;
    this.#fd = fd;
    this.#owned = owned;
    if (describeFile(fd).kind !== "directory") {
      this.close();
      throw new BlockError(Errno.ENOTDIR, `cannot serve ${label}: it is not a directory`);
    }
  }

  list(): ExportEntry[] {
    const names: string[] = [];
    for (const { name, type } of readDirectory(this.#fd)) {
      if (names.length === LISTED_EXPORTS_MAX) break;
      // NBD names are UTF-8, so a file whose name is not cannot be named by a client.
      if (name !== null && this.#isServed(name, type)) names.push(name);
    }
    return names.sort(byCodePoint).map((name) => ({ name, description: "" }));
  }

  open(name: string, mode: FileMode): HostFile {
    if (!isPlainName(name)) throw unknownExport(name);
    const label = `"${name}" in ${this.#label}`;
    try {
      // Looked at before it is opened: opening some devices does something.
      if (!isServable(this.#kindOf(name))) throw unknownExport(name);
      return openHostFile(label, mode, (flags) => openBeneath(this.#fd, name, flags));
    } catch (error) {
      if (error instanceof BlockError && isAbsent(error.errno)) throw unknownExport(name);
      throw error;
    }
  }

  close(): void {
    if (this.#owned) closeDescriptor(this.#fd);
  }

  #isServed(name: string, type: number): boolean {
    if (type === EntryType.Regular || type === EntryType.Block) return true;
    if (type !== EntryType.Link && type !== EntryType.Unknown) return false;
    try {
      return isServable(this.#kindOf(name));
    } catch {
      // A link that leads nowhere, or out of the directory.
      return false;
    }
  }

  #kindOf(name: string): FileKind {
    const fd = openBeneath(this.#fd, name, Open.Path);
    try {
      return describeFile(fd).kind;
    } finally {
      closeDescriptor(fd);
    }
  }
}

/** Opens with `open` what `mode` needs. */
function openHostFile(label: string, mode: FileMode, open: (flags: number) => number): HostFile {
  const access = mode.readOnly ? Open.ReadOnly : Open.ReadWrite;
  let fd: number;
  try {
    fd = open(access);
  } catch (error) {
    if (!mode.readOnly && error instanceof BlockError) throw explained(label, error);
    throw error;
  }
  let directFd = -1;
  try {
    if (mode.direct) directFd = openDirect(label, () => open(access | Open.Direct));
    return new HostFile(label, fd, directFd, false);
  } catch (error) {
    closeDescriptor(fd);
    if (directFd >= 0) closeDescriptor(directFd);
    throw error;
  }
}

function openDirect(label: string, open: () => number): number {
  try {
    return open();
  } catch (error) {
    if (!(error instanceof BlockError) || error.errno !== Errno.EINVAL) throw error;
    const message = `cannot serve ${label}: its filesystem has no direct I/O`;
    throw new BlockError(Errno.EOPNOTSUPP, message);
  }
}

/** Why opening for writing has failed. */
function explained(label: string, error: BlockError): BlockError {
  const { errno } = error;
  if (errno === Errno.EACCES || errno === Errno.EPERM || errno === Errno.EROFS) {
    return readOnlyFile(label, errno);
  }
  // What cannot be written because of what it is gets the same words as when it is read.
  return errno === Errno.EISDIR ? wrongKind(label, "directory") : error;
}

function readOnlyFile(label: string, errno: number): BlockError {
  const why = errno === Errno.EROFS ? "its filesystem is read-only" : "permission denied";
  return new BlockError(errno, `cannot open ${label} for writing: ${why}; serve it read-only`);
}

function requireDefault(name: string): void {
  if (name !== "") throw unknownExport(name);
}

function unknownExport(name: string): BlockError {
  return new BlockError(Errno.ENOENT, `cannot open export "${name}": there is none of that name`);
}

function isServable(kind: FileKind): boolean {
  return kind === "regular" || kind === "block";
}

/** Whether `name` can be the name of an entry of a directory. */
function isPlainName(name: string): boolean {
  if (name === "" || name === "." || name === "..") return false;
  if (name.includes("/") || name.includes("\0")) return false;
  return new TextEncoder().encode(name).length <= NAME_BYTES_MAX;
}

/** Errors of a name that is not served, so that it looks as if it did not exist. */
function isAbsent(errno: number): boolean {
  return errno === Errno.ENOENT || errno === Errno.ELOOP || errno === Errno.EXDEV;
}

function byCodePoint(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
