// SPDX-License-Identifier: MIT
// Bounds on what a client can make the server hold or do, with the reason for each number.

/**
 * Longest option whose data is skipped in step; a longer one closes the connection. Twice the
 * payload that the protocol calls reasonable (2^25): no honest option comes near it.
 */
export const OPTION_LENGTH_MAX = 64 * 1024 * 1024;

/**
 * Longest data of LIST_META_CONTEXT and SET_META_CONTEXT in bytes that is looked at. Room for an
 * export name and fifteen queries of the greatest length, or thousands of ordinary ones.
 */
export const META_CONTEXT_DATA_MAX = 64 * 1024;

/**
 * Bytes of answers waiting to be sent at which no further option is looked at. Keeps a client that
 * asks for the list of exports a thousand times without reading from filling the memory.
 */
export const OUTPUT_PENDING_MAX = 256 * 1024;

/**
 * Largest payload of a read or write that is served, whatever the export says. 2^25 is what the
 * protocol wants every server to take and what a client may rely on. Also the largest payload of
 * an extended request that is discarded in step when the request is refused.
 */
export const PAYLOAD_MAX = 32 * 1024 * 1024;

/**
 * Largest payload of a compact write that is discarded in step when it is refused; a longer one
 * closes the connection. Above PAYLOAD_MAX, so that a client which tries too much learns of it.
 */
export const PAYLOAD_SKIP_MAX = 64 * 1024 * 1024;

/** Metadata contexts that a client can have selected at a time: bits of a number. */
export const META_CONTEXTS_MAX = 31;

/**
 * Pieces of a read that are sent as chunks of their own; with more, the read is sent as one chunk
 * with its zeroes spelled out, so that headers cannot outweigh the data.
 */
export const READ_PIECES_MAX = 1024;

/** Largest argument of `Gather.header` in bytes: 64 extended extents and room for a header. */
export const HEADER_LENGTH_MAX = 1088;
