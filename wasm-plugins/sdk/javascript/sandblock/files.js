// SPDX-License-Identifier: MIT
// Files that the user has granted: the manifest asks for the capability "read" or "write".

import * as files from "sandblock:plugin/files@3.2.0";
import { guarded } from "./errors.js";
import { begin } from "./waiting.js";

/** The token with which calls wait. */
const NOW = 0;

/**
 * Opens a file: to read, or with { write: true }, and with `create`, `exclusive`, `truncate`, which need
 * `write`; `lock` keeps out whoever opens it like this, too. A relative path starts at the first directory that was granted.
 */
export function openFile(path, how = {}) {
  return new File(guarded(() => files.open(path, how)));
}

/**
 * An open file. What gives a promise never waits; what ends with `Now` does, and is not for requests but
 * for `start`, `open`, `stop` and so on.
 */
export class File {
  #file;

  constructor(file) {
    this.#file = file;
  }

  /** Bytes. */
  size() {
    return Number(guarded(() => this.#file.size()));
  }

  /** Cuts it off, or makes it longer by a hole. */
  resize(size) {
    guarded(() => this.#file.resize(BigInt(size)));
  }

  /** All of these bytes; fails with ENODATA where the file ends before. */
  read(offset, length) {
    return begin((token) => this.#file.pread(BigInt(length), BigInt(offset), token));
  }

  /** Writes all of `data`; the file grows as needed. Flag: fua. */
  write(offset, data, flags = {}) {
    return begin((token) => this.#file.pwrite(data, BigInt(offset), flags, token));
  }

  /** What was written is on stable storage when this resolves. */
  sync() {
    return begin((token) => this.#file.sync(token));
  }

  /** Makes a range zero, as far as the file has it. Flag: mayTrim. */
  zero(offset, length, flags = {}) {
    return begin((token) => this.#file.zero(BigInt(length), BigInt(offset), flags, token));
  }

  readNow(offset, length) {
    return guarded(() => this.#file.pread(BigInt(length), BigInt(offset), NOW));
  }

  writeNow(offset, data, flags = {}) {
    guarded(() => this.#file.pwrite(data, BigInt(offset), flags, NOW));
  }

  syncNow() {
    guarded(() => this.#file.sync(NOW));
  }

  zeroNow(offset, length, flags = {}) {
    guarded(() => this.#file.zero(BigInt(length), BigInt(offset), flags, NOW));
  }

  close() {
    this.#file[Symbol.dispose]();
  }
}
