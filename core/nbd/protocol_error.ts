// SPDX-License-Identifier: MIT
// What the client side throws when a server says something that the protocol does not allow.

/** The other side broke the protocol; the connection cannot be used any further. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}
