// SPDX-License-Identifier: MIT
// Connections by TCP to where the user has granted them: the manifest asks for the capability "net".

import * as network from "sandblock:plugin/network@3.2.0";
import { Errno, Failure, guarded } from "./errors.js";
import { abandon, begin } from "./waiting.js";

/** Resolves with a Connection to `HOST:PORT`, written as it was granted. */
export async function connect(address) {
  let connection;
  try {
    await begin((token) => {
      connection = guarded(() => network.connect(address, token));
      return undefined;
    });
  } catch (error) {
    connection?.[Symbol.dispose]();
    throw error;
  }
  return new Connection(connection);
}

/** A connection. One `read` and one `write` may be under way at a time. */
export class Connection {
  #connection;
  #tokens = new Set();

  constructor(connection) {
    this.#connection = connection;
  }

  /** Bytes, at most `most`, as soon as there are any; none at the end. */
  read(most) {
    return this.#begin((token) => this.#connection.read(most, token));
  }

  /** Sends all of `data`. */
  write(data) {
    return this.#begin((token) => this.#connection.write(data, token));
  }

  /** Closes it. What is under way fails with ESHUTDOWN. */
  close() {
    this.#connection?.[Symbol.dispose]();
    this.#connection = undefined;
    for (const token of this.#tokens) abandon(token, closed());
  }

  async #begin(start) {
    if (this.#connection === undefined) throw closed();
    let used = 0;
    try {
      return await begin((token) => {
        const result = start(token);
        this.#tokens.add(used = token);
        return result;
      });
    } finally {
      this.#tokens.delete(used);
    }
  }
}

function closed() {
  return new Failure(Errno.ESHUTDOWN, "the connection was closed");
}
