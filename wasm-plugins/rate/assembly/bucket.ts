// SPDX-License-Identifier: MIT
// Token buckets: how many bytes may go now. A bucket fills at its rate up to its size, and a piece may go
// while there is anything in it; what the piece takes beyond that has to come in before the next one.

const NS: f64 = 1_000_000_000;

/** Bytes that may go, in one direction. */
@unmanaged
export class Bucket {
  /** Bytes; below 0 while more has gone than came in. */
  tokens: f64;
  /** Bytes in a second; 0: as many as you like. */
  rate: f64;
  capacity: f64;
}

/** Makes the bucket one for `rate` bytes a second, `burst` nanoseconds large, with what it holds. */
export function setRate(bucket: Bucket, rate: f64, burst: f64): void {
  const wasUnlimited = bucket.rate == 0;
  bucket.rate = rate;
  bucket.capacity = rate * burst / NS;
  if (wasUnlimited || bucket.tokens > bucket.capacity) bucket.tokens = bucket.capacity;
}

/** `nanoseconds` have passed. */
export function fill(bucket: Bucket, nanoseconds: f64): void {
  if (!bucket.rate) return;
  bucket.tokens = min(bucket.tokens + bucket.rate * nanoseconds / NS, bucket.capacity);
}

/** Whether something may go. */
// @ts-ignore: decorator
@inline
export function isOpen(bucket: Bucket): bool {
  return !bucket.rate || bucket.tokens > 0;
}

// @ts-ignore: decorator
@inline
export function take(bucket: Bucket, bytes: u64): void {
  if (bucket.rate) bucket.tokens -= <f64>bytes;
}

/** Nanoseconds until something may go. */
export function wait(bucket: Bucket): f64 {
  return isOpen(bucket) ? 0 : (1 - bucket.tokens) * NS / bucket.rate;
}
