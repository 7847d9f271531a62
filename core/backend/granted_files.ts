// SPDX-License-Identifier: MIT
// The files that a plugin was granted. The kernel sees to it that no path leads out of a granted
// directory (openat2 with RESOLVE_BENEATH); what would wait for the disk is queued.

import { BlockError, Errno, errnoName } from "../block/errno.ts";
import { FileFlag } from "../plugin/abi.ts";
import type { FileStore, GrantedFile } from "../plugin/files.ts";
import type { FileGrant } from "../plugin/grants.ts";
import type { LogLevel } from "../plugin/instance.ts";
import { absolutePath } from "../plugin/path.ts";
import { quoted } from "../plugin/text.ts";
import { closeDescriptor } from "../../native/descriptor.ts";
import { SystemError } from "../../native/errno.ts";
import {
  describeFile,
  lockFile,
  Open,
  openBelow,
  openFile,
  reopen,
  resizeFile,
} from "../../native/file.ts";
import { createQueue } from "./create_queue.ts";
import { OpenedFile } from "./granted_file.ts";
import type { OperationQueue } from "./operation.ts";

/** A grant with a descriptor of it. */
interface Opened {
  path: string;
  write: boolean;
  fd: number;
  isDirectory: boolean;
}

/** See the top of this file. */
export class GrantedFiles implements FileStore {
  readonly completionFds: readonly number[];
  readonly #queue: OperationQueue;
  readonly #asksFirst: boolean;
  readonly #grants: Opened[] = [];

  /** Throws BlockError when a granted path does not exist. To be called on the thread that uses it. */
  constructor(
    grants: readonly FileGrant[],
    options: {
      log(level: LogLevel, text: string): void;
      ioUring?: boolean;
      /** False: everything is queued, as if nothing could be done without waiting. */
      asksFirst?: boolean;
    },
  ) {
    this.#asksFirst = options.asksFirst ?? true;
    try {
      for (const grant of grants) this.#grants.push(openGrant(grant));
      this.#queue = createQueue(options);
    } catch (error) {
      this.#closeGrants();
      throw error;
    }
    this.completionFds = [this.#queue.completionFd];
  }

  open(path: string, flags: number): GrantedFile {
    const isRelative = !path.startsWith("/");
    const wanted = isRelative ? path : absolutePath("/", path);
    const found = this.#find(wanted, isRelative, (flags & FileFlag.Write) !== 0);
    if (found === null) {
      throw new BlockError(Errno.EACCES, `cannot open ${quoted(path)}: it was not allowed`);
    }
    const { grant, rest } = found;
    const fd = openIn(grant, rest, flags, path);
    const { kind } = describe(fd);
    if ((flags & FileFlag.Lock) !== 0) lock(fd, kind === "regular", flags, path);
    if (kind === "regular" || kind === "block") {
      return new OpenedFile(fd, path, kind, this.#queue, this.#asksFirst);
    }
    closeDescriptor(fd);
    throw new BlockError(
      kind === "directory" ? Errno.EISDIR : Errno.EACCES,
      `cannot open ${quoted(path)}: it is no file`,
    );
  }

  reap(): void {
    this.#queue.reap();
  }

  submit(): void {
    this.#queue.submit();
  }

  close(): void {
    // What a plugin has written is to be written, also where it did not wait for that.
    this.#queue.drain();
    this.#queue.close();
    this.#closeGrants();
  }

  #closeGrants(): void {
    for (const { fd } of this.#grants.splice(0)) closeDescriptor(fd);
  }

  /** The grant that `path` is in, and what of it is below that. The narrowest counts. */
  #find(path: string, isRelative: boolean, write: boolean): { grant: Opened; rest: string } | null {
    const usable = this.#grants.filter((grant) => grant.write || !write);
    if (isRelative) {
      const grant = usable.find(({ isDirectory }) => isDirectory);
      return grant === undefined ? null : { grant, rest: path };
    }
    let best: Opened | null = null;
    for (const grant of usable) {
      const inside = path === grant.path || path.startsWith(asPrefix(grant.path));
      if (inside && (best === null || grant.path.length > best.path.length)) best = grant;
    }
    if (best === null) return null;
    return { grant: best, rest: path.slice(asPrefix(best.path).length) };
  }
}

/** Takes the file for this plugin alone, and empties it if that was wanted. Throws BlockError. */
function lock(fd: number, isRegular: boolean, flags: number, path: string): void {
  let errno = -lockFile(fd);
  const truncate = FileFlag.Write | FileFlag.Truncate;
  if (errno === 0 && isRegular && (flags & truncate) === truncate) errno = -resizeFile(fd, 0, 0);
  if (errno === 0) return;
  closeDescriptor(fd);
  if (errno !== Errno.EAGAIN) {
    throw new BlockError(errno, `cannot open ${quoted(path)}: ${errnoName(errno)}`);
  }
  throw new BlockError(Errno.EBUSY, `cannot open ${quoted(path)}: it is in use`);
}

function asPrefix(path: string): string {
  return path === "/" ? "/" : `${path}/`;
}

function openGrant({ path, write }: FileGrant): Opened {
  let fd: number;
  try {
    fd = openFile(path, Open.Path);
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    throw new BlockError(
      error.errno,
      `cannot allow ${write ? "write" : "read"}=${path}: ${reasonOf(error)}`,
    );
  }
  return { path, write, fd, isDirectory: describe(fd).kind === "directory" };
}

function describe(fd: number): ReturnType<typeof describeFile> {
  try {
    return describeFile(fd);
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
}

function reasonOf(error: BlockError): string {
  return error instanceof SystemError ? error.reason : error.message;
}

/** Flags of open(2) that are not in Open, because nobody else makes files. */
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const O_TRUNC = 0o1000;

function openIn(grant: Opened, rest: string, flags: number, path: string): number {
  const write = (flags & FileFlag.Write) !== 0;
  let how: number = write ? Open.ReadWrite : Open.ReadOnly;
  if (write && (flags & FileFlag.Create) !== 0) how |= O_CREAT;
  if (write && (flags & FileFlag.Exclusive) !== 0) how |= O_EXCL;
  // What somebody else has locked is left as it is.
  const truncate = (flags & (FileFlag.Truncate | FileFlag.Lock)) === FileFlag.Truncate;
  if (write && truncate) how |= O_TRUNC;
  try {
    if (!grant.isDirectory) {
      if (rest !== "") throw new BlockError(Errno.ENOTDIR, `${quoted(grant.path)} is a file`);
      return reopen(grant.fd, how & ~(O_CREAT | O_EXCL));
    }
    if (rest === "") throw new BlockError(Errno.EISDIR, "it is a directory");
    return openBelow(grant.fd, rest, how);
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    if (error.errno !== Errno.EXDEV && error.errno !== Errno.ELOOP) {
      throw new BlockError(error.errno, `cannot open ${quoted(path)}: ${reasonOf(error)}`);
    }
    const fact = `it leads out of ${quoted(grant.path)}, which was allowed`;
    throw new BlockError(Errno.EACCES, `cannot open ${quoted(path)}: ${fact}`);
  }
}
