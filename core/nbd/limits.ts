// SPDX-License-Identifier: MIT
// Bounds on what a client can make the server hold or do, with the reason for each number.

/**
 * Longest option whose data is skipped in step; a longer one closes the connection. Twice the
 * largest payload that the protocol calls reasonable (2^25): no honest option comes near.
 */
export const OPTION_LENGTH_MAX = 64 * 1024 * 1024;

/**
 * Bytes of answers waiting to be sent at which no further option is looked at. Keeps a client that
 * asks for the list of exports a thousand times without reading from filling the memory.
 */
export const OUTPUT_PENDING_MAX = 256 * 1024;

/**
 * Largest payload of a read or write that is served, whatever the export says, and the largest
 * payload that is discarded in step when its request is refused; a longer one closes the connection.
 */
export const PAYLOAD_MAX = 64 * 1024 * 1024;

/** Metadata contexts that a client can have selected at a time (they are bits of a 32-bit word). */
export const META_CONTEXTS_MAX = 32;
